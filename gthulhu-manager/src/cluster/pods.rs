//! The pods of a view, by node. A view shares the nodes that are the same with the view before it: whoever has both sees by
//! identity where something changed, without looking at the pods.

use std::sync::Arc;

use gthulhu_lib::derive::Pod;

use crate::differ::{ByNode, Differs, differing};

/// The pods of one node, sorted by uid.
pub type NodePods = Arc<Vec<Arc<Pod>>>;

/// Pods by the node that they are scheduled to; those without one are under the empty name. No two share a uid.
///
/// Cloning costs what the nodes are, not the pods, and so does changing one pod of a clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pods {
    nodes: ByNode<Vec<Arc<Pod>>>,
    len: usize,
}

impl Pods {
    /// Number of pods.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All pods, by node and uid.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Pod>> + Clone {
        self.nodes.values().flat_map(|pods| pods.iter())
    }

    /// The nodes that have pods, by name, and their pods.
    pub fn nodes(&self) -> impl Iterator<Item = (&Arc<str>, &NodePods)> {
        self.nodes.iter()
    }

    /// The nodes whose pods are others than in `before`, and both.
    pub(crate) fn differing<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = Differs<'a, Vec<Arc<Pod>>>> {
        differing(&before.nodes, &self.nodes)
    }

    /// The pods of one node.
    pub fn on(&self, node: &str) -> &[Arc<Pod>] {
        self.nodes.get(node).map_or(&[], |pods| pods)
    }

    /// Adds a pod, in place of the one with its uid on the same node. One that was elsewhere has to be
    /// [removed](Self::remove) first.
    pub fn put(&mut self, pod: Arc<Pod>) {
        let node = name(&pod);
        if !self.nodes.contains_key(node) {
            self.nodes.insert(node.into(), NodePods::default());
        }
        let Some(pods) = self.nodes.get_mut(node) else { return };
        match place(pods, &pod.uid) {
            Ok(place) => Arc::make_mut(pods)[place] = pod,
            Err(place) => {
                Arc::make_mut(pods).insert(place, pod);
                self.len += 1;
            }
        }
    }

    /// Forgets a pod, by its node and uid.
    pub fn remove(&mut self, pod: &Pod) {
        let Some(pods) = self.nodes.get_mut(name(pod)) else { return };
        let Ok(place) = place(pods, &pod.uid) else { return };
        self.len -= 1;
        if pods.len() == 1 {
            self.nodes.remove(name(pod));
        } else {
            Arc::make_mut(pods).remove(place);
        }
    }

    /// The same pods, sharing with `former` the nodes that are equal.
    #[must_use]
    pub fn sharing(mut self, former: &Self) -> Self {
        for (node, pods) in &mut self.nodes {
            if let Some(known) = former.nodes.get(node).filter(|known| *known == pods) {
                *pods = Arc::clone(known);
            }
        }
        self
    }
}

impl FromIterator<Arc<Pod>> for Pods {
    /// The pods, in any order; of several with one uid on one node, the last counts.
    fn from_iter<I: IntoIterator<Item = Arc<Pod>>>(pods: I) -> Self {
        let mut all = Self::default();
        pods.into_iter().for_each(|pod| all.put(pod));
        all
    }
}

fn name(pod: &Pod) -> &str {
    pod.node.as_deref().unwrap_or_default()
}

fn place(pods: &NodePods, uid: &str) -> Result<usize, usize> {
    pods.binary_search_by(|pod| pod.uid.as_str().cmp(uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, node: Option<&str>) -> Arc<Pod> {
        Arc::new(Pod {
            uid: uid.into(),
            name: uid.into(),
            namespace: "default".into(),
            node: node.map(Into::into),
            labels: gthulhu_lib::labels::Labels::default(),
            terminal: false,
        })
    }

    fn uids(pods: &Pods) -> Vec<&str> {
        pods.iter().map(|pod| pod.uid.as_str()).collect()
    }

    #[test]
    fn a_change_of_one_pod_leaves_the_other_nodes_shared() {
        let before: Pods = [pod("c", Some("n1")), pod("a", Some("n1")), pod("b", Some("n2")), pod("d", None)]
            .into_iter()
            .collect();
        assert_eq!((uids(&before), before.len()), (vec!["d", "a", "c", "b"], 4));
        let mut after = before.clone();
        after.remove(&pod("c", Some("n1")));
        after.remove(&pod("c", Some("n1")));
        after.put(pod("c", Some("n3")));
        assert_eq!((uids(&after), after.len()), (vec!["d", "a", "b", "c"], 4));
        assert_eq!(uids(&before), ["d", "a", "c", "b"], "a view never changes");
        let shared = |node: &str| {
            let of = |pods: &Pods| pods.nodes.get(node).map(Arc::as_ptr);
            of(&before) == of(&after)
        };
        assert!(shared("") && shared("n2") && !shared("n1") && !shared("n3"));
        after.remove(&pod("b", Some("n2")));
        assert!(!after.nodes.contains_key("n2"), "a node without pods is not kept");
    }

    #[test]
    fn what_is_read_anew_shares_what_is_equal() {
        let read = |tier: &str| -> Pods {
            let mut changed = (*pod("b", Some("n2"))).clone();
            changed.labels.insert("tier".into(), tier.into());
            [pod("a", Some("n1")), Arc::new(changed)].into_iter().collect()
        };
        let (before, again) = (read("one"), read("two"));
        let again = again.sharing(&before);
        assert!(Arc::ptr_eq(&before.nodes["n1"], &again.nodes["n1"]));
        assert_eq!(again.on("n2")[0].labels["tier"], "two");
    }
}
