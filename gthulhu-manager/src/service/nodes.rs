//! The nodes of the cluster.

use super::access::{Granted, PodPidRead};
use super::picture::not_ready;
use super::{Service, ServiceError};
use crate::cluster::ClusterNode;

impl Service {
    /// Every node, by name. While the view of the cluster is not complete there may be more.
    pub fn nodes(&self, _grant: &Granted<PodPidRead>) -> Vec<ClusterNode> {
        self.cluster.view().nodes.clone()
    }

    /// One node.
    pub fn node(&self, _grant: &Granted<PodPidRead>, name: &str) -> Result<ClusterNode, ServiceError> {
        let view = self.cluster.view();
        let node = view.nodes.iter().find(|node| node.name == name);
        let missing = || if view.complete { ServiceError::NoSuchNode } else { not_ready(&view) };
        node.cloned().ok_or_else(missing)
    }
}
