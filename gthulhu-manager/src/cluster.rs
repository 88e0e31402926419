//! What the manager knows of the cluster: its pods and nodes, from whichever source is configured.
//!
//! A source keeps one immutable [`ClusterView`] and swaps it when something changed. Readers never wait for
//! the source: they take the view that is there and learn from it whether it can be relied upon.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

mod absent;
pub mod folder;
pub mod kubernetes;
mod object;
mod pods;

pub use absent::Absent;
pub use pods::{NodePods, Pods};

/// Everything known of the cluster at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// Every known pod, terminal ones and those without a node included. What did not change since the view before is
    /// shared with it.
    pub pods: Pods,
    /// Every known node, sorted by name.
    pub nodes: Vec<ClusterNode>,
    /// Whether the source was read as a whole. While false, "no pod matches" proves nothing, and nothing must be
    /// taken away from a node because its pods are not in `pods`.
    pub complete: bool,
    /// Whether the source has fallen silent. The view is what it last said then: good for all that it shows, while
    /// what it does not show may exist by now.
    pub lost: bool,
    /// The same of its nodes alone: there may be more of them by now.
    pub nodes_lost: bool,
    /// What is wrong with the view, in one sentence. Always present while `complete` is false. On a complete view
    /// it names one part of the source, such as a file, that makes no sense: of that part, what is known from
    /// before is kept, and what is new is not seen.
    pub reason: Option<String>,
    /// All namespaces, where the source knows of them apart from their pods, and knows it now.
    pub namespaces: Option<Arc<BTreeSet<String>>>,
    /// The decision makers that the source knows of, by the name of their node.
    pub decision_makers: Arc<BTreeMap<String, DecisionMaker>>,
}

impl ClusterView {
    /// Whether there is nothing but what the view shows.
    pub fn is_all(&self) -> bool {
        self.complete && !self.lost
    }
}

/// The decision maker of a node, as a source of views found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionMaker {
    /// Where it listens.
    pub address: SocketAddr,
    /// The uid of its pod.
    pub instance: String,
}

/// A node of the cluster, as its source describes it. Whether its daemon answers is another matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// The name pods carry as `spec.nodeName`.
    pub name: String,
    /// The health that the cluster reports.
    pub status: NodeHealth,
}

/// The health of a node in the eyes of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeHealth {
    /// The node takes pods.
    Ready,
    /// The node is known and does not take pods.
    NotReady,
    /// The source cannot tell.
    Unknown,
}

/// A source of cluster views.
pub trait Cluster: Send + Sync {
    /// The newest view. Cheap; never waits.
    fn view(&self) -> Arc<ClusterView>;

    /// A counter that grows after each new view was put in place.
    fn changed(&self) -> watch::Receiver<u64>;
}
