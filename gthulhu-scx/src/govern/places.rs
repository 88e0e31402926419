//! Where pods and named cgroups are in the tree, as of the last look.

use std::collections::BTreeMap;

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

    /// The cgroups of a group of processes: of the pod with this uid, or of the group with this name.
    pub(super) fn of(&self, group: &str) -> &[Cgroup] {
        match self.named.get(group) {
            Some(cgroup) => std::slice::from_ref(cgroup),
            None => self.pods.get(group).map_or(&[], Vec::as_slice),
        }
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

    /// The path of a cgroup by its id.
    pub(super) fn path_of(&self, id: u64) -> Option<&str> {
        let all = self.named.values().chain(self.pods.values().flatten());
        all.filter(|cgroup| cgroup.id == id).map(|cgroup| cgroup.path.as_str()).next()
    }
}
