//! Keeping every node's decision maker (dm) at exactly the intents it should hold.
//!
//! [`machine`] decides: one synchronous state machine over all nodes, without clock, network or chance of its
//! own. [`driver`] carries its decisions out and reports what happened. [`client`] speaks to one dm.
//!
//! The state that a node is asked to hold is always its full set of intents, numbered by a [`Pair`]; a dm
//! refuses an older pair, so that a late or repeated message can do no harm.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gthulhu_lib::intent::set::IntentSet;

pub mod client;
pub mod driver;
pub mod machine;
#[cfg(test)]
mod testdm;

/// A node's name, as pods carry it in `spec.nodeName`.
pub type NodeName = Arc<str>;

/// What all nodes should hold, each its full set; a node that is not in the map should hold nothing.
pub type NodeSets = Arc<BTreeMap<NodeName, Arc<IntentSet>>>;

/// Where a node's dm listens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Scheme, host and port, without a trailing slash: `http://10.0.0.7:8080`.
    pub url: String,
    /// Whose dm it is: over TLS, a certificate that has an identity must name this node.
    pub node: NodeName,
    /// The name that a certificate without an identity must have; empty: as configured for all.
    pub server_name: String,
    /// Which process listens there, such as a pod's uid, so that one that took another's place at the same address is
    /// known for a new one; empty where nobody tells.
    pub instance: String,
}

/// The number of a state that a node is asked to hold. Pairs compare by epoch, then by generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// Who numbers: each pusher takes an epoch of its own, greater than all before it.
    pub epoch: u64,
    /// Which of the pusher's states for this node; starts at 1 in each epoch.
    pub generation: u64,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.epoch, self.generation)
    }
}
