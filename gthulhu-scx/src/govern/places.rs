//! Where pods and named cgroups are in the tree, as of the last look.

use std::collections::{BTreeMap, HashMap};

use crate::cgroups::{Cgroup, Pods, Tree};

/// The cgroups of every pod, and of every group that was named by a path.
#[derive(Debug, Default)]
pub(super) struct Places {
    pods: Pods,
    named: BTreeMap<String, Cgroup>,
    missing: Vec<String>,
}

impl Places {
    /// Looks; `named` are paths by the names of their groups.
    pub(super) fn look(tree: &Tree, named: &BTreeMap<String, String>) -> Self {
        let mut places = Self { pods: tree.pods(), ..Self::default() };
        for (name, path) in named {
            // What cannot be looked at is as good as missing, and is looked for again when a cgroup is made.
            match tree.id(path).ok().flatten() {
                Some(id) => {
                    places.named.insert(name.clone(), Cgroup { id, path: path.clone() });
                }
                None => places.missing.push(path.clone()),
            }
        }
        places
    }

    /// Every pod that has cgroups here, by uid in lower case, with these.
    pub(super) fn pods(&self) -> impl Iterator<Item = (&str, &[Cgroup])> {
        self.pods.iter().map(|(uid, cgroups)| (uid.as_str(), cgroups.as_slice()))
    }

    /// Whether the pod with this uid (in lower case) has a cgroup here.
    pub(super) fn has_pod(&self, uid: &str) -> bool {
        self.pods.contains_key(uid)
    }

    /// Every named cgroup that is there, by the name of its group.
    pub(super) fn named(&self) -> impl Iterator<Item = (&str, &Cgroup)> {
        self.named.iter().map(|(name, cgroup)| (name.as_str(), cgroup))
    }

    /// Whether a new cgroup at this path may belong to somebody. Its path may have a beginning that is not seen from
    /// here, so this only excludes what cannot be.
    pub(super) fn may_concern(&self, path: &str) -> bool {
        path.contains("pod") || self.missing.iter().any(|missing| path.ends_with(missing))
    }

    /// The paths that lead nowhere.
    pub(super) fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(String::as_str)
    }

    /// The paths of cgroups by their ids.
    pub(super) fn paths(&self) -> HashMap<u64, &str> {
        let all = self.pods.values().flatten().chain(self.named.values());
        all.map(|cgroup| (cgroup.id, cgroup.path.as_str())).collect()
    }
}
