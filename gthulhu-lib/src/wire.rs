//! The JSON bodies that the manager, the decision makers and the schedulers exchange.
//!
//! Every type is written and read by somebody of ours, so all of them serialise both ways. Names, order and
//! omissions are those of the existing clients: a field is never renamed or removed here, only added. A reader
//! ignores fields that it does not know, and an absent field is its zero value.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::labels::Labels;
use crate::selector::Selector;

pub mod feed;
pub mod preview;

/// One strategy applied to one pod, as it travels: nothing in it has been checked.
///
/// [`Intent::check`](crate::intent::Intent::check) makes a checked value of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IntentBody {
    /// The pod's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pod_name: String,
    /// The pod's uid, by which its processes are found.
    #[serde(rename = "podID", alias = "podId", skip_serializing_if = "String::is_empty")]
    pub pod_id: String,
    /// The name of the node that the pod is scheduled to.
    #[serde(rename = "nodeID", alias = "nodeId", skip_serializing_if = "String::is_empty")]
    pub node_id: String,
    /// The pod's namespace.
    #[serde(rename = "k8sNamespace", skip_serializing_if = "String::is_empty")]
    pub k8s_namespace: String,
    /// Searched, unanchored, in the name of each process of the pod; empty: every process. At most 512 bytes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command_regex: String,
    /// Priority as the user wrote it: 0 to 20, 1 the strongest, 0 no preference.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: i64,
    /// Time slice in nanoseconds: 100,000 to 100,000,000, or 0 for the scheduler's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub execution_time: i64,
    /// All labels of the pod.
    #[serde(skip_serializing_if = "is_bare")]
    pub pod_labels: Labels,
    /// The strategy that this intent comes from, 24 hexadecimal digits. Older managers do not send it.
    #[serde(rename = "strategyID", alias = "strategyId", skip_serializing_if = "Option::is_none")]
    pub strategy_id: Option<String>,
}

fn is_bare(labels: &Labels) -> bool {
    labels.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// `POST /api/v1/intents` of the decision maker: the node's complete set, replacing the one it holds.
///
/// Whoever has the set need not copy it to send it: `I` may be a reference to an [`IntentSet`](crate::intent::set::IntentSet).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IntentsBody<I = Vec<IntentBody>> {
    /// The complete set, in any order; empty clears.
    pub intents: I,
    /// The pusher's epoch, 1 to 2^53 - 1; together with `generation` or not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The number of this set within the epoch, 1 to 2^53 - 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// `DELETE /api/v1/intents` of the decision maker. `all` wins over the others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeleteIntentsBody {
    /// Remove the intents of this pod, or, with `pid`, only that process's rows.
    #[serde(rename = "podId", alias = "podID", skip_serializing_if = "Option::is_none")]
    pub pod_id: Option<String>,
    /// The process whose rows to remove until the next push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Remove every intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
}

/// One task and its strategy: an element of `GET /api/v1/scheduling/strategies`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StrategyRow {
    /// Priority as the user wrote it: 0 to 20, 1 the strongest, 0 no preference.
    pub priority: i64,
    /// Time slice in nanoseconds: 100,000 to 100,000,000, or 0 for the scheduler's default.
    pub execution_time: u64,
    /// The task's id: the pid of a leader, the tid of any other thread.
    pub pid: u32,
    /// The pod's labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<Selector>,
    /// The command regex of the winning strategy.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command_regex: String,
    /// The pid of the task's process; absent for the leader itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tgid: Option<u32>,
}

/// The answer to `GET /api/v1/scheduling/strategies`, which has an envelope of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StrategiesReply {
    /// Always true in a 200.
    pub success: bool,
    /// A sentence for people.
    pub message: String,
    /// When the answer was made, RFC 3339 in UTC.
    pub timestamp: String,
    /// One row per task, the winner only: leaders first, then other threads.
    pub scheduling: Vec<StrategyRow>,
}

/// `data` of `GET /api/v1/intents/merkle`: what the decision maker holds now.
///
/// Decision makers written in Go answer `rootHash` alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MerkleReply {
    /// Merkle root of the set, 64 hexadecimal digits.
    pub root_hash: String,
    /// Epoch of the last numbered push, 1 to 2^53 - 1; absent before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Generation of the last numbered push, 1 to 2^53 - 1; absent before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Whether the set was edited (by DELETE) since that push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<bool>,
    /// Digest of the set, strategies included, 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// The pair that a decision maker holds: extra members of its 409 to an older push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldPair {
    /// Epoch of the set held, 1 to 2^53 - 1.
    pub held_epoch: u64,
    /// Generation of the set held, 1 to 2^53 - 1.
    pub held_generation: u64,
}

/// One process of a pod in `GET /api/v1/pods/pids`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ProcessRow {
    /// Process id on the node.
    pub pid: u32,
    /// The kernel's name of the process, at most 15 bytes.
    pub command: String,
    /// The parent's process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ppid: Option<u32>,
    /// The container that the process runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
}

/// One pod and its processes in `GET /api/v1/pods/pids`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PodPids {
    /// The pod's uid.
    pub pod_uid: String,
    /// Reserved: known to clients, never filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_id: Option<String>,
    /// The processes found in the pod, `pause` included.
    pub processes: Vec<ProcessRow>,
}

/// `data` of `GET /api/v1/pods/pids`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PodsPidsReply {
    /// Every pod on the node that has processes.
    pub pods: Vec<PodPids>,
    /// When the answer was made, RFC 3339 in UTC.
    pub timestamp: String,
    /// The node's name.
    pub node_name: String,
    /// Reserved: known to clients, never filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
}

/// `POST /api/v1/metrics` of the decision maker: the scheduler's counters. An absent counter is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SchedulerMetrics {
    /// When the user-space scheduler last ran, in its own clock.
    pub usersched_last_run_at: u64,
    /// Tasks waiting for the user-space scheduler.
    pub nr_queued: u64,
    /// Tasks scheduled and not yet dispatched.
    pub nr_scheduled: u64,
    /// Tasks running.
    pub nr_running: u64,
    /// CPUs online.
    pub nr_online_cpus: u64,
    /// Dispatches made by user space.
    pub nr_user_dispatches: u64,
    /// Dispatches made in the kernel.
    pub nr_kernel_dispatches: u64,
    /// Dispatches cancelled.
    pub nr_cancel_dispatches: u64,
    /// Dispatches sent to another CPU than asked.
    pub nr_bounce_dispatches: u64,
    /// Dispatches that failed.
    pub nr_failed_dispatches: u64,
    /// Times that the scheduler was congested.
    pub nr_sched_congested: u64,
}

/// `POST /api/v1/auth/token` of the decision maker.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenRequest {
    /// The public half of the decision maker's key: PEM, `PUBLIC KEY`.
    pub public_key: String,
    /// Who asks; free text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_id: String,
    /// Ignored by every decision maker.
    #[serde(skip_serializing_if = "is_zero")]
    pub expired_at: i64,
}

/// `data` of `POST /api/v1/auth/token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReply {
    /// The signed token: a secret, which `Debug` does not show.
    pub token: String,
    /// When it expires, in Unix seconds.
    pub expired_at: i64,
}

impl fmt::Debug for TokenReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenReply").field("expired_at", &self.expired_at).finish_non_exhaustive()
    }
}
