//! Why a task has the strategy it has, or none.

use serde::{Deserialize, Serialize};

use crate::id::Id;
use crate::intent::set::IntentSet;
use crate::process::Process;
use crate::process::cgroup::Refusal;
use crate::resolve::{Rules, Standing};
use crate::strategy::Resolved;

/// How many intents of its pod an explanation lists.
pub const INTENTS_MAX: usize = 256;

/// The answer to "why?" for one pid or thread id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Explanation {
    /// The number that was asked for.
    pub pid: u32,
    /// In one word.
    pub outcome: Outcome,
    /// The process, if it is in a pod; for another thread than the leader the one that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessFacts>,
    /// The intents of the process's pod, strongest first, and what became of each: the first [`INTENTS_MAX`], and the
    /// winner wherever it stands.
    #[serde(default)]
    pub intents: Vec<IntentVerdict>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: usize,
    /// What the process is due now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Strategy>,
    /// What schedulers read for it now. Differs from `due` until the next refresh if something just changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Strategy>,
}

impl Explanation {
    /// For a task that is in no pod, or not anywhere.
    pub(crate) fn without_process(pid: u32, outcome: Outcome) -> Self {
        Self { pid, outcome, process: None, intents: Vec::new(), omitted: 0, due: None, published: None }
    }

    /// For a task of `process`.
    pub(crate) fn of_process(
        pid: u32,
        process: &Process,
        rules: &mut Rules,
        intents: &IntentSet,
        muted: bool,
        published: Option<Resolved>,
    ) -> Self {
        let standings = rules.standings(&process.pod_uid, &process.comm);
        let of_pod = rules.of_pod(&process.pod_uid);
        let winner = standings.iter().position(|standing| *standing == Standing::Wins).map(|at| &of_pod[at]);
        let outcome = match winner {
            _ if of_pod.is_empty() => Outcome::NoIntentForPod,
            _ if standings.contains(&Standing::Sandbox) => Outcome::PauseNeverGoverned,
            None => Outcome::NoRegexMatches,
            Some(_) if muted => Outcome::Muted,
            Some(_) => Outcome::Governed,
        };
        let listed = of_pod.iter().zip(&standings).enumerate();
        let listed = listed.filter(|(at, (_, standing))| *at < INTENTS_MAX || **standing == Standing::Wins);
        let judged = listed.filter_map(|(_, (rule, &standing))| {
            let intent = intents.as_slice().get(rule.intent)?;
            Some(IntentVerdict {
                strategy_id: rule.strategy,
                priority: intent.priority(),
                execution_time: intent.execution_time(),
                command_regex: intent.command_regex().to_owned(),
                verdict: Verdict::of(standing, muted),
            })
        });
        let judged: Vec<IntentVerdict> = judged.collect();
        Self {
            pid,
            outcome,
            process: Some(process.into()),
            omitted: of_pod.len() - judged.len(),
            intents: judged,
            due: winner.filter(|_| outcome == Outcome::Governed).map(|rule| rule.resolved.into()),
            published: published.map(Strategy::from),
        }
    }
}

/// Whether a task is governed, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Outcome {
    /// One of its intents wins.
    Governed,
    /// No live process or thread has this number.
    NotFound,
    /// It lives, but in no pod.
    NotInPod,
    /// Its cgroup names a pod in a way that is not believed.
    Refused(RefusalReason),
    /// Its pod has no intent.
    NoIntentForPod,
    /// Its pod has intents, but no regex matches its command name.
    NoRegexMatches,
    /// It is the sandbox process of its pod.
    PauseNeverGoverned,
    /// It was taken out by hand until the node's next set of intents.
    Muted,
}

/// Why a cgroup was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum RefusalReason {
    /// One path names two different pods.
    TwoPodsInPath,
    /// The lines for different hierarchies name different pods.
    LinesDisagree,
}

impl From<Refusal> for RefusalReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TwoPodsInPath => Self::TwoPodsInPath,
            Refusal::LinesDisagree => Self::LinesDisagree,
        }
    }
}

/// A process as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProcessFacts {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks after boot.
    pub start_time: u64,
    /// Parent process id; 0 if it has none that can be seen.
    pub ppid: u32,
    /// Command name of the leader.
    pub command: String,
    /// Uid of its pod.
    #[serde(rename = "podID")]
    pub pod_id: String,
    /// Its container, if known.
    #[serde(rename = "containerID", default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
}

impl From<&Process> for ProcessFacts {
    fn from(process: &Process) -> Self {
        Self {
            pid: process.id.pid,
            start_time: process.id.start,
            ppid: process.parent,
            command: process.comm.to_string(),
            pod_id: process.pod_uid.to_string(),
            container_id: process.container_id.as_deref().map(str::to_owned),
        }
    }
}

/// One intent of the process's pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IntentVerdict {
    /// The strategy that the intent comes from, if the manager said so.
    #[serde(rename = "strategyID", default, skip_serializing_if = "Option::is_none")]
    pub strategy_id: Option<Id>,
    /// As the user wrote it: 0 to 20, 1 the strongest, 0 no preference.
    pub priority: i64,
    /// As the user wrote it, in nanoseconds: 100,000 to 100,000,000, or 0 for the scheduler's default.
    pub execution_time: i64,
    /// As the user wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command_regex: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of an intent for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Verdict {
    /// It acts.
    Wins,
    /// It matches, but another intent is stronger.
    LosesTo {
        /// The winner's strategy, if known.
        strategy: Option<Id>,
    },
    /// Its regex is not found in the command name.
    RegexDoesNotMatch,
    /// The process is the sandbox, which no intent reaches.
    PauseNeverGoverned,
    /// The task was taken out by hand until the next set.
    Muted,
}

impl Verdict {
    pub(crate) fn of(standing: Standing, muted: bool) -> Self {
        match standing {
            Standing::Sandbox => Self::PauseNeverGoverned,
            Standing::OtherName => Self::RegexDoesNotMatch,
            Standing::Wins | Standing::LosesTo(_) if muted => Self::Muted,
            Standing::Wins => Self::Wins,
            Standing::LosesTo(strategy) => Self::LosesTo { strategy },
        }
    }
}

/// A strategy in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Strategy {
    /// 0 (no preference), 1 (strongest) to 20.
    pub priority: u8,
    /// Time slice in nanoseconds: 100,000 to 100,000,000, or 0 for the scheduler's default.
    pub slice_ns: u32,
}

impl From<Resolved> for Strategy {
    fn from(resolved: Resolved) -> Self {
        Self { priority: resolved.priority(), slice_ns: resolved.slice_ns() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
