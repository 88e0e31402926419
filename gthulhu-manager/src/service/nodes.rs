//! The nodes of the cluster.

use super::access::{Granted, PodPidRead};
use super::picture::not_ready;
use super::{Service, ServiceError};
use crate::cluster::{ClusterNode, NodeHealth};

impl Service {
    /// Every node, by name. While the view of the cluster is not complete there may be more.
    pub fn nodes(&self, _grant: &Granted<PodPidRead>) -> Vec<ClusterNode> {
        self.cluster.view().nodes.iter().map(|node| self.judged(node)).collect()
    }

    /// One node.
    pub fn node(&self, _grant: &Granted<PodPidRead>, name: &str) -> Result<ClusterNode, ServiceError> {
        let view = self.cluster.view();
        let node = view.nodes.iter().find(|node| node.name == name);
        let missing = || if view.complete { ServiceError::NoSuchNode } else { not_ready(&view) };
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
    use crate::service::testbed::{Bed, pods};

    #[test]
    fn an_unknown_node_is_told_from_one_that_is_not_known_yet() {
        let bed = Bed::new();
        let names: Vec<_> = bed.service.nodes(&bed.admin()).into_iter().map(|node| node.name).collect();
        assert_eq!(names, ["n1", "n2"]);
        assert_eq!(bed.service.node(&bed.admin(), "n2").unwrap().name, "n2");
        assert_eq!(bed.service.node(&bed.admin(), "n3").unwrap_err().to_string(), "node not found");
        bed.outside.pods(pods(), false);
        assert!(bed.service.node(&bed.admin(), "n2").is_ok());
        let error = bed.service.node(&bed.admin(), "n3").unwrap_err();
        assert_eq!(error.to_string(), "the view of the cluster is not complete: pods are being read");
    }
}
