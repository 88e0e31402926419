//! What the service asks of the outside, besides the view of the cluster: what the nodes have accepted.

use std::collections::HashMap;

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

/// Each node's full set of intents, in canonical order of (strategy id, pod uid). A node without intents is absent.
pub type Desired = HashMap<String, Vec<IntentBody>>;
