//! The known pods by uid, and as a view shows them.

use std::collections::HashMap;
use std::sync::Arc;

use gthulhu_lib::derive::Pod;

use crate::cluster::Pods;

/// The known pods.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_uid: HashMap<String, Arc<Pod>>,
    pods: Pods,
}

impl Table {
    /// All pods.
    pub(super) fn pods(&self) -> &Pods {
        &self.pods
    }

    /// The pod with this uid.
    pub(super) fn get(&self, uid: &str) -> Option<&Arc<Pod>> {
        self.by_uid.get(uid)
    }

    /// Adds a pod, or replaces the one with its uid. Whether anything changed.
    pub(super) fn put(&mut self, pod: Pod) -> bool {
        let known = self.by_uid.get(&pod.uid);
        if known.is_some_and(|known| **known == pod) {
            return false;
        }
        if let Some(known) = known.filter(|known| known.node != pod.node) {
            self.pods.remove(known);
        }
        let pod = Arc::new(pod);
        self.pods.put(Arc::clone(&pod));
        self.by_uid.insert(pod.uid.clone(), pod);
        true
    }

    /// Forgets the pod with this uid. Whether it was known.
    pub(super) fn remove(&mut self, uid: &str) -> bool {
        let known = self.by_uid.remove(uid);
        known.is_some_and(|pod| {
            self.pods.remove(&pod);
            true
        })
    }

    /// Forgets all pods but those whose uids `stays` approves of. Whether any was forgotten.
    pub(super) fn retain(&mut self, stays: impl Fn(&str) -> bool) -> bool {
        let gone: Vec<String> = self.by_uid.keys().filter(|uid| !stays(uid)).cloned().collect();
        for uid in &gone {
            self.remove(uid);
        }
        !gone.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pod(uid: &str, node: Option<&str>) -> Pod {
        Pod {
            uid: uid.into(),
            name: uid.into(),
            namespace: "default".into(),
            node: node.map(Into::into),
            labels: BTreeMap::default(),
            terminal: false,
        }
    }

    fn shown(table: &Table) -> Vec<(&str, &str)> {
        let pods =
            table.pods().nodes().flat_map(|(node, pods)| pods.iter().map(move |pod| (&**node, &*pod.uid)));
        pods.collect()
    }

    #[test]
    fn a_pod_is_in_one_place_whatever_happened_to_it() {
        let mut table = Table::default();
        for (uid, node) in [("a", Some("n1")), ("b", None), ("c", Some("n1"))] {
            assert!(table.put(pod(uid, node)));
        }
        let before = table.pods().clone();
        assert!(!table.put(pod("a", Some("n1"))));
        assert_eq!(*table.pods(), before);
        assert!(table.put(pod("b", Some("n2"))));
        assert_eq!(shown(&table), [("n1", "a"), ("n1", "c"), ("n2", "b")]);
        assert!(table.remove("a") && !table.remove("a"));
        assert!(table.retain(|uid| uid == "b"));
        assert!(!table.retain(|uid| uid == "b"));
        assert_eq!((shown(&table), table.get("c")), (vec![("n2", "b")], None));
        assert_eq!(table.get("b").unwrap().node.as_deref(), Some("n2"));
    }
}
