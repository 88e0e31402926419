//! What would be, and why something is as it is: the answers of `POST /api/v1/strategies/preview` and of
//! `GET /api/v1/explain`. What is not known is absent or named, never shown as nothing.

use std::collections::BTreeMap;

use gthulhu_lib::id::Id;
use gthulhu_lib::wire::preview::{ExplainReply, IntentPreview, MatchedProcess, MissedProcess};
use schemars::JsonSchema;
use serde::Serialize;

/// What creating a strategy would do now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PreviewAnswer {
    /// Why creating it would be refused all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Why there may be more pods than the manager knows of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
    /// Sums over everything that is known, listed or not.
    pub totals: Totals,
    /// The pods that it would be for, by namespace and name.
    pub pods: Vec<PodPreview>,
    /// Pods that it misses by one clause, the nearest first.
    pub near_misses: Vec<PodMissReply>,
    /// How many there are, listed or not.
    pub near_miss_count: usize,
    /// Strategies for some of the same pods, by id.
    pub conflicts: Vec<ConflictReply>,
    /// Nodes of which nothing is known.
    pub unknown: Vec<UnknownNode>,
    /// Whether a list is shorter than it could be.
    pub truncated: bool,
}

/// Sums of a preview. Those of processes are over the nodes that answered.
#[derive(Serialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Totals {
    /// Pods.
    pub pods: usize,
    /// Their nodes.
    pub nodes: usize,
    /// Processes that the strategy means.
    pub matched: u64,
    /// Processes that would get it.
    pub wins: u64,
    /// Tasks that would get it: those processes and their threads.
    pub tasks: u64,
}

/// How it stands with a pod that a strategy would be for.
#[derive(Serialize, JsonSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) enum Seeing {
    /// Its node has told what it sees.
    Known,
    /// Its node has not; see `unknown`.
    Unknown,
    /// It has no node yet.
    NotScheduled,
    /// Its node would not take the intent: a label is not one, or the node has too many distinct command regexes.
    LeftOut,
}

/// A pod that a strategy would be for.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PodPreview {
    /// The pod's uid.
    #[serde(rename = "podID")]
    pub pod_id: String,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's namespace.
    pub k8s_namespace: String,
    /// The name of its node.
    #[serde(rename = "nodeID", skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// How it stands with the pod.
    pub state: Seeing,
    /// What the node sees, if it has told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// The processes of one pod, as one strategy means them.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct Seen {
    /// How many processes the pod has.
    pub pod_processes: u64,
    /// How many of them the strategy means.
    pub matched: u64,
    /// How many of those would get it, or have it.
    pub wins: u64,
    /// How many tasks: those processes and their threads.
    pub tasks: u64,
    /// The processes that it means, by pid.
    pub processes: Vec<MatchedProcess>,
    /// The others, by pid.
    pub near_misses: Vec<MissedProcess>,
}

/// Something that fails one clause, here a pod.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PodMissReply {
    /// The pod's uid.
    #[serde(rename = "podID")]
    pub pod_id: String,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's namespace.
    pub k8s_namespace: String,
    /// The clause that fails, such as `labelSelectors[0]`, `k8sNamespace` or `phase`.
    pub clause: String,
    /// What it asks for.
    pub wanted: String,
    /// What the pod has.
    pub found: String,
}

/// Another strategy for some of the same pods.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct ConflictReply {
    /// The other strategy.
    #[serde(rename = "strategyID")]
    pub strategy_id: Id,
    /// Whether it is the caller's.
    pub own: bool,
    /// Its priority.
    pub priority: i64,
    /// Its time slice in nanoseconds.
    pub execution_time: i64,
    /// Whether it gets the processes that both mean.
    pub stronger: bool,
    /// Pods that both are for.
    pub pods: usize,
    /// Processes, of nodes that answered, that both mean and the new one would get.
    pub won: u64,
    /// Processes that both mean and the other one keeps.
    pub lost: u64,
}

/// A node of which nothing is known.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct UnknownNode {
    /// Its name.
    #[serde(rename = "nodeID")]
    pub node_id: String,
    /// Why.
    pub reason: String,
    /// How many of the pods in question are on it.
    pub pods: usize,
}

/// `GET /api/v1/explain`
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct ExplainAnswer {
    /// The task, if one was asked about and its node answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<ExplainReply>,
    /// The pod, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodStoryReply>,
    /// The node, if it did not answer.
    pub unknown: Vec<UnknownNode>,
}

/// A pod and the strategies around it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PodStoryReply {
    /// The pod's uid.
    #[serde(rename = "podID")]
    pub pod_id: String,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's namespace.
    pub k8s_namespace: String,
    /// The name of its node.
    #[serde(rename = "nodeID", skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// All its labels.
    pub pod_labels: BTreeMap<String, String>,
    /// Whether it has ended for good.
    pub ended: bool,
    /// The strategies that are for it, by id.
    pub strategies: Vec<StrategyOnPodReply>,
    /// The caller's strategies that miss it by one clause; for an administrator, everybody's.
    pub near_misses: Vec<StrategyMissReply>,
    /// How many strategies of either kind are not listed.
    pub omitted: usize,
}

/// A strategy that is for the pod in question.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct StrategyOnPodReply {
    /// The strategy.
    #[serde(rename = "strategyID")]
    pub strategy_id: Id,
    /// Whether it is the caller's.
    pub own: bool,
    /// Its priority.
    pub priority: i64,
    /// Its time slice in nanoseconds.
    pub execution_time: i64,
    /// Its command regex, if the caller may read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_regex: Option<String>,
    /// Whether the pod's node holds it.
    pub accepted: bool,
    /// Why not, if the node said why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What the node sees, if it was asked and has told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// A strategy that the pod in question fails by one clause.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct StrategyMissReply {
    /// The strategy.
    #[serde(rename = "strategyID")]
    pub strategy_id: Id,
    /// The clause that fails: one of the strategy's, `phase`, `nodeName`, `exclusion`, or `scope`, that of its creator.
    pub clause: String,
    /// What it asks for.
    pub wanted: String,
    /// What there is.
    pub found: String,
}

impl From<IntentPreview> for Seen {
    fn from(told: IntentPreview) -> Self {
        let IntentPreview { pod_processes, matched, wins, tasks, processes, near_misses, .. } = told;
        Self { pod_processes, matched, wins, tasks, processes, near_misses }
    }
}
