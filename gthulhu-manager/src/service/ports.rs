//! What the service asks of the outside, besides the view of the cluster: what the nodes have accepted.

use std::collections::HashMap;

use gthulhu_lib::id::Id;
use gthulhu_lib::wire::IntentBody;

/// What the nodes hold, as far as they have acknowledged it.
pub trait NodeStates: Send + Sync {
    /// True when the last set that `node` accepted holds the intent `id` exactly as `body` says. An intent keeps its
    /// id when its strategy is changed, so the id alone would call a stale copy accepted.
    fn holds(&self, node: &str, id: &Id, body: &IntentBody) -> bool;
    /// Why the node has not accepted its newest set, while it has not.
    fn last_error(&self, node: &str) -> Option<String>;
    /// The generation that the node accepted last; 0 when it has accepted none.
    fn generation(&self, node: &str) -> u64;
}

/// Each node's full set of intents, in canonical order of (strategy id, pod uid). A node without intents is absent.
pub type Desired = HashMap<String, Vec<IntentBody>>;
