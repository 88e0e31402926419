//! A strategy as its creator wrote it, the exclusions he made from it, and what a node acknowledged.

use gthulhu_lib::derive::StrategySpec;
use gthulhu_lib::id::Id;
use gthulhu_lib::selector::Selector;
use serde::{Deserialize, Serialize};

/// What a user asks for. Everything he wrote is kept and shown as he wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Strategy {
    /// Identity.
    pub id: Id,
    /// Who made it; only he lists, changes and deletes it.
    pub creator: Id,
    /// Who changed it last.
    pub updater: Id,
    /// When it was made.
    pub created_ms: i64,
    /// When it was last changed.
    pub updated_ms: i64,
    /// Free text, compared with the scope of the creator's roles.
    pub strategy_namespace: String,
    /// All must hold for a pod to match.
    pub label_selectors: Vec<Selector>,
    /// One of them must be the pod's; empty, or exactly one empty text, means all.
    pub k8s_namespace: Vec<String>,
    /// Searched in the command name of a pod's processes; empty matches all.
    pub command_regex: String,
    /// 1 is the strongest, 20 the weakest preference, 0 none.
    pub priority: i64,
    /// Time slice in nanoseconds; 0 means the scheduler's default.
    pub execution_time: i64,
}

/// One intent that its strategy's creator does not want, although the strategy makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exclusion {
    /// The intent's id, a function of strategy and pod.
    pub id: Id,
    /// The strategy that makes the intent.
    pub strategy: Id,
    /// The pod that the intent is for.
    pub pod_uid: String,
    /// Who excluded it.
    pub creator: Id,
    /// When.
    pub at_ms: i64,
}

/// The last answer of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeAck {
    /// The node's name.
    pub node: String,
    /// The epoch it holds.
    pub epoch: u64,
    /// The generation it holds.
    pub generation: u64,
    /// Why it did not take the newest set, when it did not.
    pub error: Option<String>,
    /// When it answered.
    pub at_ms: i64,
}

impl Strategy {
    /// The part that intents are derived from.
    pub fn spec(&self) -> StrategySpec {
        StrategySpec {
            id: self.id,
            selectors: self.label_selectors.clone(),
            namespaces: self.k8s_namespace.clone(),
            command_regex: self.command_regex.clone(),
            priority: self.priority,
            execution_time: self.execution_time,
        }
    }

    /// The namespaces asked for, or `None` for all of them.
    pub fn namespaces(&self) -> Option<&[String]> {
        match self.k8s_namespace.as_slice() {
            [] => None,
            [only] if only.is_empty() => None,
            several => Some(several),
        }
    }
}
