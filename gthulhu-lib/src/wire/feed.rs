//! The feed: what a decision maker and the scheduler of its node tell each other over a unix socket.
//!
//! ```text
//!   decision maker                                      scheduler (or monitor)
//!        | -- hello ------------------------------------------> |
//!        | <------------------------------------------ hello -- |
//!        | -- intents, in one part or several: the whole set -> |   at once, and whenever it changes
//!        | -- explain ----------------------------------------> |
//!        | <---------------------- counters, events, explanation |
//!        | <------------------------------------------ processes |   from a monitor: all of them, and then what changes
//!        |                                                      |
//!        | -- table, with the file of it ---------------------> |   to a reader, and nothing else
//!        | -- bye -------------------------------------- bye -- |   the last word of whoever ends it, if it can
//! ```
//!
//! A frame is a length (u32, little-endian, at most [`FRAME_MAX`]) and as many bytes of JSON: an object whose `type`
//! names the [`Frame`]. The first frame in each direction is [`Hello`]; whoever meets a `protocol` that it does not
//! speak says [`Bye`] and closes. A frame of an unknown `type` is ignored, so that either side may be the newer one.
//!
//! This crate has neither sockets nor JSON text: [`codec`] cuts a stream of bytes into frames, [`parts`] cuts a set
//! into frames and puts it together again, and the programs do the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{IntentBody, SchedulerMetrics};

pub mod codec;
pub mod parts;
pub mod processes;

pub use processes::Processes;

/// The protocol that this build speaks.
pub const PROTOCOL: u32 = 1;

/// The longest JSON text of a frame, in bytes.
pub const FRAME_MAX: usize = 4 << 20;

/// One message of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Frame {
    /// The first frame, both ways.
    Hello(Hello),
    /// The last frame, either way.
    Bye(Bye),
    /// Down: the set that the node holds, or a part of it.
    Intents(IntentsPart),
    /// Up: what the scheduler counts, and whether it schedules.
    Counters(Box<Counters>),
    /// Up: what happened to processes.
    Events(Events),
    /// Up, from a monitor: the processes of pods, and what becomes of them.
    Processes(Processes),
    /// Down: a question about one task.
    Explain(Explain),
    /// Up: the answer.
    Explanation(Explanation),
    /// Down, to a [`Role::Reader`]: the table of strategies. Its file comes with the first byte of this frame, as
    /// `SCM_RIGHTS`.
    Table(Table),
    /// Something that a newer peer says.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// Who speaks, and which protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Hello {
    /// [`PROTOCOL`] of the speaker.
    pub protocol: u32,
    /// What the speaker is.
    pub role: Role,
    /// The speaker's version, for people.
    pub version: String,
}

impl Hello {
    /// The greeting of this build.
    pub fn new(role: Role, version: &str) -> Self {
        Self { protocol: PROTOCOL, role, version: version.to_owned() }
    }
}

/// What the speaker of a [`Hello`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The decision maker, which listens.
    DecisionMaker,
    /// The scheduler of the node: there is one at a time.
    Scheduler,
    /// Watches processes and does not schedule.
    Monitor,
    /// Wants the table of strategies and nothing else.
    Reader,
    /// None that this build knows.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Why the connection ends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Bye {
    /// A sentence for people.
    pub reason: String,
}

/// One part of a node's set; [`parts::Assembly`] puts the parts together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IntentsPart {
    /// Epoch of the last numbered push; 0 before it.
    pub epoch: u64,
    /// Generation of the last numbered push; 0 before it.
    pub generation: u64,
    /// Which part this is, from 1.
    pub part: u32,
    /// How many parts the set has, 1 to [`parts::PARTS_MAX`].
    pub parts: u32,
    /// The part's intents.
    pub intents: Vec<IntentBody>,
    /// The part's tasks that were taken out by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub muted: Vec<MutedTask>,
}

/// A task that no strategy reaches until the next push.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MutedTask {
    /// The pod's uid.
    #[serde(rename = "podID")]
    pub pod_id: String,
    /// The task's id; that of a leader means the whole process.
    pub pid: u32,
    /// Its start time in clock ticks after boot: another task with this id is not muted.
    pub start_time: u64,
}

/// What the scheduler counts since it was attached, and whether it schedules. The last one wins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Whether it schedules.
    pub state: SchedulerState,
    /// More about the state, such as why it failed; a few words for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The counters that every scheduler has.
    pub metrics: SchedulerMetrics,
    /// Further ones: lower-case words joined by `_`; counters end in `_total`, everything else is a gauge.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, u64>,
    /// How long tasks waited for a CPU, by the kind of task (`governed`, `normal`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub waits: BTreeMap<String, Waits>,
}

/// Whether the scheduler schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchedulerState {
    /// Not yet: it is being loaded, or tries again.
    Starting,
    /// It schedules.
    Attached,
    /// It does not, and is not meant to.
    Absent,
    /// It does not, though it should.
    Failed,
    /// None that this build knows.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A histogram with bounds that double.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Waits {
    /// How many waits were shorter than 2^i microseconds and not than the bound before; the last bucket has no bound.
    pub buckets: Vec<u64>,
}

/// What happened to processes, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Events {
    /// Events before these that could not be told.
    #[serde(skip_serializing_if = "is_zero")]
    pub lost: u64,
    /// The events.
    pub events: Vec<Event>,
}

/// One event. What does not apply to its kind is zero or empty, and left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Event {
    /// What happened: `process-new`, `process-gone`, `cgroup-made`, `cgroup-gone`, `unknown-command`.
    pub kind: String,
    /// When, in nanoseconds of the monotonic clock.
    #[serde(skip_serializing_if = "is_zero")]
    pub at_ns: u64,
    /// The process.
    #[serde(skip_serializing_if = "is_zero_pid")]
    pub pid: u32,
    /// The command name of its leader.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// The cgroup's id.
    #[serde(skip_serializing_if = "is_zero")]
    pub cgroup: u64,
    /// The cgroup's path below the root of its hierarchy.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
}

/// A question: which strategy does the kernel use for this task, and why?
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Explain {
    /// Chosen by who asks; the answer repeats it.
    pub id: u64,
    /// The task.
    pub pid: u32,
}

/// The answer to [`Explain`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Explanation {
    /// As in the question.
    pub id: u64,
    /// As in the question.
    pub pid: u32,
    /// What the kernel holds of the task; absent if it has not met it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskInKernel>,
    /// Why, for people; may have several lines.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What the kernel holds of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskInKernel {
    /// Where its strategy comes from, or why it has none: `none`, `cgroup`, `verdict`, `pid`, `pending` or `refused`.
    pub source: String,
    /// 0 (no preference), 1 (strongest) to 20.
    pub priority: u8,
    /// Time slice in nanoseconds: 100,000 to 100,000,000, or 0 for the scheduler's default.
    pub slice_ns: u64,
    /// The id of its cgroup.
    pub cgroup: u64,
    /// The publication of strategies that it was last looked up in.
    pub generation: u64,
    /// How often it was put into a queue under a strategy.
    pub enqueues_governed: u64,
    /// How often it was put into a queue.
    pub enqueues: u64,
    /// When it was first put into a queue under a strategy, in nanoseconds of the monotonic clock; 0: never.
    pub first_governed_ns: u64,
}

/// Which table a reader is given. The file says the same, and is what has to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Table {
    /// The version of its layout.
    pub layout: u64,
    /// Pids below it have a place.
    pub pid_max: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
fn is_zero_pid(number: &u32) -> bool {
    *number == 0
}
