//! What the service asks of the outside, besides the view of the cluster: what the nodes have accepted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gthulhu_lib::derive::{DerivedIntent, StrategySpec};
use gthulhu_lib::id::Id;
use gthulhu_lib::wire::IntentBody;

/// What the nodes hold, as far as they have acknowledged it.
pub trait NodeStates: Send + Sync {
    /// True when the last set that `node` accepted holds exactly this intent. An intent keeps its id when its
    /// strategy is changed, so the id would not do: a stale copy is not what was asked for.
    fn holds(&self, node: &str, intent: &IntentBody) -> bool;
    /// Why the node has not accepted its newest set, while it has not.
    fn last_error(&self, node: &str) -> Option<String>;
    /// The generation that the node accepted last; 0 when it has accepted none.
    fn generation(&self, node: &str) -> u64;
    /// Whether the last call to the node's decision maker was answered; none before the first one ended.
    fn reachable(&self, node: &str) -> Option<bool>;
}

/// The intents of one node, sorted by strategy id, then pod uid. The same allocation while they are the same.
pub type NodeIntents = Arc<[DerivedIntent]>;

/// What every node should hold.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The strategies that the intents follow from. The same allocation while they are the same.
    pub strategies: Arc<BTreeMap<Id, Arc<StrategySpec>>>,
    /// Each node's full set. A node without intents is absent.
    pub nodes: Arc<BTreeMap<Arc<str>, NodeIntents>>,
}

/// Each node's full set of intents, in canonical order of (strategy id, pod uid). A node without intents is absent.
pub type Desired = HashMap<String, Vec<IntentBody>>;
