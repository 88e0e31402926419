//! What a decision maker says about intents that it does not hold (yet), and about one task: the answers to
//! `POST /api/v1/preview` and `GET /api/v1/explain`.

use serde::{Deserialize, Serialize};

use super::feed;
use crate::explain::{Explanation, Verdict};
use crate::id::Id;

/// How many intents a preview lists.
pub const INTENTS_MAX: usize = 512;
/// How many processes a preview lists that one intent means; of all intents together, sixteen times as many.
pub const PROCESSES_MAX: usize = 256;
/// How many strategies that it conflicts with a preview lists of one intent; of all intents together, sixteen times as
/// many.
pub const CONFLICTS_MAX: usize = 64;
/// How many near misses a preview lists of one intent; of all intents together, sixteen times as many.
pub const NEAR_MISSES_MAX: usize = 64;
/// How many times the bound of one intent the whole preview may list.
pub const WHOLE: usize = 16;

/// `data` of `POST /api/v1/preview`: what pushing these intents would do to the processes of this moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PreviewReply {
    /// The node's name.
    pub node_name: String,
    /// Where processes are seen, such as `proc-walk`.
    pub source: String,
    /// The intents that were asked about, in canonical order: the first [`INTENTS_MAX`].
    pub intents: Vec<IntentPreview>,
    /// How many more there are.
    pub omitted: u64,
    /// Processes of the node whose cgroup names two pods: no intent reaches them.
    pub refused: u64,
    /// Processes of the node that could not be read.
    pub unreadable: u64,
}

/// What one intent would do. The counts are whole, the lists are bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IntentPreview {
    /// The strategy that the intent comes from, if it says so.
    #[serde(rename = "strategyID", skip_serializing_if = "Option::is_none")]
    pub strategy_id: Option<Id>,
    /// The pod's uid.
    #[serde(rename = "podID")]
    pub pod_id: String,
    /// The pod's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pod_name: String,
    /// The pod's namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub k8s_namespace: String,
    /// As written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command_regex: String,
    /// As written: 0 to 20, 1 the strongest, 0 no preference.
    pub priority: i64,
    /// As written, in nanoseconds: 100,000 to 100,000,000, or 0 for the scheduler's default.
    pub execution_time: i64,
    /// How many processes the pod has on this node; with 0, that is what is missing.
    pub pod_processes: u64,
    /// How many of them the intent means.
    pub matched: u64,
    /// For how many of those it is the strongest.
    pub wins: u64,
    /// How many tasks (leaders and their threads) would get its strategy.
    pub tasks: u64,
    /// The processes that it means, by pid.
    pub processes: Vec<MatchedProcess>,
    /// The other processes of the pod, by pid.
    pub near_misses: Vec<MissedProcess>,
    /// The strategies that mean some of the same processes, by id.
    pub conflicts: Vec<Conflict>,
    /// Whether a list is shorter than it should be.
    pub truncated: bool,
}

/// Another strategy of the same pod that means some of the processes that an intent means.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Conflict {
    /// The other strategy, if its intent says so.
    #[serde(rename = "strategyID", skip_serializing_if = "Option::is_none")]
    pub strategy_id: Option<Id>,
    /// Processes that both mean and this intent gets.
    pub won: u64,
    /// Processes that both mean and the other one gets.
    pub lost: u64,
}

/// A process that an intent means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MatchedProcess {
    /// Process id.
    pub pid: u32,
    /// Command name of the leader.
    pub command: String,
    /// How many tasks it has: the leader and its threads.
    pub tasks: u64,
    /// Whether the intent wins, or which strategy does.
    pub verdict: Verdict,
}

/// A process of an intent's pod that the intent does not mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MissedProcess {
    /// Process id.
    pub pid: u32,
    /// Command name of the leader.
    pub command: String,
    /// The clause that fails.
    pub clause: ProcessClause,
}

/// What keeps an intent from a process of its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ProcessClause {
    /// `commandRegex` is not found in the command name.
    CommandRegex,
    /// The process is the sandbox, `pause`, which is never governed.
    Pause,
}

/// `data` of `GET /api/v1/explain`: one task as the node resolves it and, if a scheduler is connected, as the kernel
/// has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExplainReply {
    /// The node's name.
    #[serde(default)]
    pub node_name: String,
    /// Where processes are seen, such as `proc-walk`.
    #[serde(default)]
    pub source: String,
    /// Which intents apply, who wins, and why.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// What the scheduler says of the task; absent when none is connected or it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<feed::Explanation>,
}
