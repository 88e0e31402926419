//! The known pods by uid, and as a view shows them.

use std::collections::HashMap;
use std::sync::Arc;

use gthulhu_lib::derive::Pod;

use crate::cluster::Pods;

/// The known pods, by the uids of their objects.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_uid: HashMap<String, Arc<Pod>>,
    /// The objects of pods that have a uid of their own.
    mirrors: HashMap<String, String>,
    pods: Pods,
}

impl Table {
    /// All pods.
    pub(super) fn pods(&self) -> &Pods {
        &self.pods
    }

    /// The pod whose object has this uid.
    pub(super) fn get(&self, uid: &str) -> Option<&Arc<Pod>> {
        self.by_uid.get(uid)
    }

    /// Adds a pod, or replaces the one whose object has this uid. Whether anything changed; or why the pod cannot be added.
    pub(super) fn put(&mut self, uid: &str, pod: Pod) -> Result<bool, String> {
        let known = self.by_uid.get(uid);
        if known.is_some_and(|known| **known == pod) {
            return Ok(false);
        }
        let taken = self.by_uid.contains_key(&pod.uid)
            || self.mirrors.get(&pod.uid).is_some_and(|mirror| mirror != uid);
        if pod.uid != uid && taken {
            return Err(format!("there is another pod {}", pod.uid));
        }
        if let Some(known) = known.filter(|known| known.node != pod.node || known.uid != pod.uid) {
            self.pods.remove(known);
        }
        if pod.uid != uid {
            self.mirrors.insert(pod.uid.clone(), uid.to_owned());
        }
        let pod = Arc::new(pod);
        self.pods.put(Arc::clone(&pod));
        self.by_uid.insert(uid.to_owned(), pod);
        Ok(true)
    }

    /// Forgets the pod whose object has this uid. Whether it was known.
    pub(super) fn remove(&mut self, uid: &str) -> bool {
        let known = self.by_uid.remove(uid);
        known.is_some_and(|pod| {
            self.mirrors.remove(&pod.uid);
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
    use super::*;

    fn pod(uid: &str, node: Option<&str>) -> Pod {
        Pod {
            uid: uid.into(),
            name: uid.into(),
            namespace: "default".into(),
            node: node.map(Into::into),
            labels: gthulhu_lib::labels::Labels::default(),
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
            assert_eq!(table.put(uid, pod(uid, node)), Ok(true));
        }
        let before = table.pods().clone();
        assert_eq!(table.put("a", pod("a", Some("n1"))), Ok(false));
        assert_eq!(*table.pods(), before);
        assert_eq!(table.put("b", pod("b", Some("n2"))), Ok(true));
        assert_eq!(shown(&table), [("n1", "a"), ("n1", "c"), ("n2", "b")]);
        assert!(table.remove("a") && !table.remove("a"));
        assert!(table.retain(|uid| uid == "b"));
        assert!(!table.retain(|uid| uid == "b"));
        assert_eq!((shown(&table), table.get("c")), (vec![("n2", "b")], None));
        assert_eq!(table.get("b").unwrap().node.as_deref(), Some("n2"));
    }
    #[test]
    fn a_static_pod_is_shown_by_its_own_uid_and_known_by_its_objects() {
        let mut table = Table::default();
        assert_eq!(table.put("mirror", pod("static", Some("n1"))), Ok(true));
        assert_eq!(shown(&table), [("n1", "static")]);
        assert_eq!(table.put("mirror", pod("static", Some("n1"))), Ok(false));
        // Two pods of one uid are in no view.
        assert!(table.put("other", pod("static", Some("n1"))).is_err());
        assert_eq!(table.put("known", pod("known", Some("n1"))), Ok(true));
        assert!(table.put("other", pod("known", Some("n2"))).is_err());
        assert_eq!(shown(&table), [("n1", "known"), ("n1", "static")]);
        assert!(table.remove("mirror") && !table.remove("static"));
        assert_eq!(table.put("other", pod("static", Some("n2"))), Ok(true));
        assert_eq!(shown(&table), [("n1", "known"), ("n2", "static")]);
    }
}
