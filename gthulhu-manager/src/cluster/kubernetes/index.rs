//! What is known of the cluster, and making views of it. Nothing here waits.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use gthulhu_lib::derive::Pod;

use super::decision_makers::Chosen;
use super::read::{Kind, Object, Unclear};
use super::table::Table;
use crate::cluster::{ClusterNode, ClusterView, NodeHealth};

/// So many pods that are gone are remembered, each until the next list.
const GONE_MAX: usize = 4096;
/// Of so many objects of a kind it is known that they make no sense.
const UNCLEAR_MAX: usize = 64;

/// The known objects of all kinds.
#[derive(Debug, Default)]
pub(super) struct Index {
    pods: Table,
    decision_makers: Chosen,
    nodes: BTreeMap<String, NodeHealth>,
    namespaces: Arc<BTreeSet<String>>,
    /// Uids of pods that were deleted since the last list.
    gone: VecDeque<String>,
    standing: HashMap<Kind, Standing>,
    changed: bool,
}

/// How we stand with one kind.
#[derive(Debug, Default)]
struct Standing {
    /// All objects of the kind were read once.
    read: bool,
    /// Why the API cannot be followed, while it cannot.
    fault: Option<String>,
    /// Why objects make no sense, by their keys. One without a key is under none, until the next list.
    unclear: BTreeMap<String, String>,
}

/// All objects of a kind, on their way into the index.
#[derive(Debug, Default)]
pub(super) struct Listed {
    objects: Vec<Object>,
    unclear: Vec<Unclear>,
}

/// Events that cannot have happened in the order in which they came: what they contradict.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disorder(pub(super) &'static str);

impl Listed {
    pub(super) fn take(&mut self, object: Result<Object, Unclear>) {
        match object {
            Ok(object) => self.objects.push(object),
            Err(unclear) => self.unclear.push(unclear),
        }
    }
}

impl Index {
    /// These are all objects of the kind. Of one that makes no sense, what was known of it stays.
    pub(super) fn listed(&mut self, kind: Kind, Listed { objects, unclear }: Listed) {
        let mut keys: HashSet<String> = unclear.iter().filter_map(|unclear| unclear.key.clone()).collect();
        keys.extend(objects.iter().map(|object| object.key().to_owned()));
        match kind {
            Kind::Pods => {
                self.gone.clear();
                self.changed |= self.pods.retain(|uid| keys.contains(uid));
                self.decision_makers.retain(|uid| keys.contains(uid));
            }
            Kind::Nodes => self.nodes.retain(|name, _| keys.contains(name)),
            Kind::Namespaces => Arc::make_mut(&mut self.namespaces).retain(|name| keys.contains(name)),
        }
        let standing = self.standing.entry(kind).or_default();
        let unclear = unclear.into_iter().take(UNCLEAR_MAX);
        standing.unclear = unclear.map(|unclear| (unclear.key.unwrap_or_default(), unclear.fault)).collect();
        standing.read = true;
        self.changed = true;
        for object in objects {
            self.accept(object);
        }
        self.decision_makers.choose();
    }

    /// The object is there now, like this. A word that contradicts what can never be taken back is not believed.
    pub(super) fn put(&mut self, object: Object) -> Result<(), Disorder> {
        if let Object::Pod(uid, pod, _) = &object {
            self.check_order(uid, pod)?;
        }
        self.clear(object.kind(), object.key());
        self.accept(object);
        self.changed |= self.decision_makers.choose();
        Ok(())
    }

    /// The object is not there any more.
    pub(super) fn gone(&mut self, kind: Kind, key: &str) {
        self.clear(kind, key);
        self.forget(kind, key);
        self.changed |= self.decision_makers.choose();
    }

    /// Something happened to the object with this key that makes no sense.
    pub(super) fn unclear(&mut self, kind: Kind, key: String, fault: String) {
        let unclear = &mut self.standing.entry(kind).or_default().unclear;
        if unclear.len() < UNCLEAR_MAX || unclear.contains_key(&key) {
            self.changed |= unclear.get(&key) != Some(&fault);
            unclear.insert(key, fault);
        }
    }

    /// The API answers. Whether that is news.
    pub(super) fn touched(&mut self, kind: Kind) -> bool {
        let news = self.standing.entry(kind).or_default().fault.take().is_some();
        self.changed |= news;
        news
    }

    /// The API cannot be followed. Whether that is news.
    pub(super) fn failed(&mut self, kind: Kind, reason: &str) -> bool {
        let before = self.standing.entry(kind).or_default().fault.replace(reason.to_owned());
        self.changed |= before.as_deref() != Some(reason);
        before.is_none()
    }

    /// Whether a view made now differs from one made when this was asked last.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What is known, for everyone to see.
    pub(super) fn view(&self) -> ClusterView {
        let standing = |kind| self.standing.get(&kind);
        let pods_read = standing(Kind::Pods).is_some_and(|pods| pods.read);
        // The other kinds are waited for, but without them intents are what they are.
        let settled = |kind| standing(kind).is_some_and(|other| other.read || other.fault.is_some());
        let complete = pods_read && settled(Kind::Nodes) && settled(Kind::Namespaces);
        let silent = |kind| standing(kind).is_some_and(|standing| standing.fault.is_some());
        ClusterView {
            pods: self.pods.pods().clone(),
            nodes: self.nodes(),
            complete,
            lost: pods_read && silent(Kind::Pods),
            nodes_lost: silent(Kind::Nodes),
            reason: self.reason(complete),
            namespaces: standing(Kind::Namespaces)
                .is_some_and(|namespaces| namespaces.read && namespaces.fault.is_none())
                .then(|| Arc::clone(&self.namespaces)),
            decision_makers: self.decision_makers.by_node(),
        }
    }

    fn reason(&self, complete: bool) -> Option<String> {
        let standings = Kind::ALL.map(|kind| (kind.name(), self.standing.get(&kind)));
        let fault =
            standings.iter().find_map(|(name, standing)| Some((name, standing.as_ref()?.fault.as_ref()?)));
        if let Some((name, fault)) = fault {
            return Some(format!("degraded: {name} cannot be followed, the Kubernetes API is away: {fault}"));
        }
        if !complete {
            return Some("the Kubernetes API is being read".to_owned());
        }
        let unclear = |(name, standing): &(_, Option<&Standing>)| {
            let (key, fault) = standing.as_ref()?.unclear.first_key_value()?;
            Some(format!("of {name}, {key} makes no sense: {fault}"))
        };
        standings.iter().find_map(unclear)
    }

    /// All nodes; before they were read, those that pods name.
    fn nodes(&self) -> Vec<ClusterNode> {
        let node =
            |(name, status): (&String, &NodeHealth)| ClusterNode { name: name.clone(), status: *status };
        if self.standing.get(&Kind::Nodes).is_some_and(|nodes| nodes.read) {
            return self.nodes.iter().map(node).collect();
        }
        let named = self.pods.pods().nodes().map(|(name, _)| name).filter(|name| !name.is_empty());
        named.map(|name| node((&name.to_string(), &NodeHealth::Unknown))).collect()
    }

    /// A uid is never used twice, a pod never leaves its node, and an end is for good.
    fn check_order(&self, uid: &str, pod: &Pod) -> Result<(), Disorder> {
        let Some(known) = self.pods.get(uid) else {
            let again = self.gone.iter().any(|gone| gone == uid);
            return if again { Err(Disorder("a pod that was deleted is there again")) } else { Ok(()) };
        };
        if known.node.is_some() && known.node != pod.node {
            return Err(Disorder("a pod has left its node"));
        }
        if known.terminal && !pod.terminal {
            return Err(Disorder("a pod that had ended runs again"));
        }
        Ok(())
    }

    fn accept(&mut self, object: Object) {
        self.changed |= match object {
            Object::Pod(uid, pod, candidate) => {
                self.decision_makers.put(&uid, candidate.map(|candidate| *candidate));
                self.pods.put(&uid, pod).unwrap_or_else(|fault| {
                    self.unclear(Kind::Pods, uid, fault);
                    false
                })
            }
            Object::Node(ClusterNode { name, status }) => self.nodes.insert(name, status) != Some(status),
            Object::Namespace(name) => {
                !self.namespaces.contains(&name) && Arc::make_mut(&mut self.namespaces).insert(name)
            }
        };
    }

    fn forget(&mut self, kind: Kind, key: &str) {
        self.changed |= match kind {
            Kind::Pods => {
                if self.gone.len() == GONE_MAX {
                    self.gone.pop_front();
                }
                self.gone.push_back(key.to_owned());
                self.decision_makers.put(key, None);
                self.pods.remove(key)
            }
            Kind::Nodes => self.nodes.remove(key).is_some(),
            Kind::Namespaces => {
                self.namespaces.contains(key) && Arc::make_mut(&mut self.namespaces).remove(key)
            }
        };
    }

    /// The object makes sense, or is gone: nothing is unclear about it any more.
    fn clear(&mut self, kind: Kind, key: &str) {
        self.changed |= self.standing.entry(kind).or_default().unclear.remove(key).is_some();
    }
}

#[cfg(test)]
mod tests;
