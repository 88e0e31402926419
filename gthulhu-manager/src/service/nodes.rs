//! The nodes of the cluster.

use std::collections::HashSet;
use std::slice;

use super::access::{Granted, PodPidRead};
use super::page::{ByName, Page, Paged};
use super::picture::not_ready;
use super::{Service, ServiceError};
use crate::cluster::{ClusterNode, NodeHealth};

impl Service {
    /// Nodes by name. While the view of the cluster is not complete there may be more.
    pub fn nodes(&self, _grant: &Granted<PodPidRead>, page: &Page<ByName>) -> Paged<ClusterNode> {
        let view = self.cluster.view();
        let Paged { rows, next } = page.of(view.nodes.iter().map(|node| (node.name.as_str(), node)));
        Paged { rows: rows.into_iter().map(|node| self.judged(node)).collect(), next }
    }

    /// Which of these pods, given by uid, the caller may see: those in a namespace of his scope. Without a scope, all,
    /// also those that the view of the cluster does not show.
    pub fn visible_pods(&self, grant: &Granted<PodPidRead>, uids: &[&str]) -> HashSet<String> {
        if grant.covers("", None) {
            return uids.iter().map(ToString::to_string).collect();
        }
        let (view, asked) = (self.cluster.view(), uids.iter().copied().collect::<HashSet<&str>>());
        let seen = view.pods.iter().filter(|pod| asked.contains(pod.uid.as_str()));
        let within = |namespace: &String| grant.covers("", Some(slice::from_ref(namespace)));
        seen.filter(|pod| within(&pod.namespace)).map(|pod| pod.uid.clone()).collect()
    }

    /// One node.
    pub fn node(&self, _grant: &Granted<PodPidRead>, name: &str) -> Result<ClusterNode, ServiceError> {
        let view = self.cluster.view();
        let node = view.nodes.iter().find(|node| node.name == name);
        let all = view.is_all() && !view.nodes_lost;
        let missing = || if all { ServiceError::NoSuchNode } else { not_ready(&view) };
        node.map(|node| self.judged(node)).ok_or_else(missing)
    }

    /// Where the cluster cannot tell how a node is, its decision maker can: it answers or it does not.
    fn judged(&self, node: &ClusterNode) -> ClusterNode {
        let status = match (node.status, self.node_states.reachable(&node.name)) {
            (NodeHealth::Unknown, Some(true)) => NodeHealth::Ready,
            (NodeHealth::Unknown, Some(false)) => NodeHealth::NotReady,
            (told, _) => told,
        };
        ClusterNode { name: node.name.clone(), status }
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{Permission, Policy};
    use crate::service::testbed::{Bed, pods};
    use crate::service::{Page, ServiceError};

    #[test]
    fn an_unknown_node_is_told_from_one_that_is_not_known_yet() {
        let bed = Bed::new();
        let names: Vec<_> =
            bed.service.nodes(&bed.admin(), &Page::all()).rows.into_iter().map(|node| node.name).collect();
        assert_eq!(names, ["n1", "n2"]);
        assert_eq!(bed.service.node(&bed.admin(), "n2").unwrap().name, "n2");
        assert_eq!(bed.service.node(&bed.admin(), "n3").unwrap_err().to_string(), "node not found");
        bed.outside.pods(pods(), false);
        assert!(bed.service.node(&bed.admin(), "n2").is_ok());
        let error = bed.service.node(&bed.admin(), "n3").unwrap_err();
        assert_eq!(error.to_string(), "the view of the cluster is not complete: pods are being read");
        // Pods are known and nodes are not.
        bed.outside.pods(pods(), true);
        bed.outside.lose_nodes();
        assert!(bed.service.node(&bed.admin(), "n2").is_ok());
        assert!(matches!(bed.service.node(&bed.admin(), "n3"), Err(ServiceError::ClusterNotReady(_))));
    }

    #[test]
    fn a_scope_hides_the_pods_of_other_namespaces() {
        let bed = Bed::new();
        let asked = ["uid-web-1", "uid-db-1", "uid-unseen"];
        let visible = |grant| {
            let mut uids: Vec<_> = bed.service.visible_pods(&grant, &asked).into_iter().collect();
            uids.sort();
            uids
        };
        assert_eq!(visible(bed.admin()), ["uid-db-1", "uid-unseen", "uid-web-1"]);
        let in_data = Policy { k8s_namespace: "data".into(), ..Policy::everywhere(Permission::PodPidRead) };
        let claims = bed.add_user("dba", vec![in_data]);
        assert_eq!(visible(bed.service.grant(&claims).unwrap()), ["uid-db-1"]);
    }
}
