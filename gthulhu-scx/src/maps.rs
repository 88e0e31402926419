//! What user space and the kernel side tell each other: rules and verdicts down, counters, views of tasks and
//! events up.
//!
//! [`KernelMaps`] is the whole of it; [`crate::scheduler`] has the real one, unit tests use a fake in memory.
//! A change acts from the next [`KernelMaps::publish`] on, at each task's next enqueue. One map entry is one
//! strategy and is replaced as a whole, so no task ever sees half of a change.

mod counters;
mod event;
#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod layout;

use std::io;

use gthulhu_lib::process::Comm;
use gthulhu_lib::strategy::Resolved;

pub use counters::{CgroupCounters, Counters, Waits};
pub use event::Event;

/// What holds for the tasks of a cgroup and of those below it that have no rule of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupRule {
    /// Every process, whatever its name; only `pause` is left alone.
    Fixed(Resolved),
    /// The processes whose leader's name has a [`Verdict::Governed`] under this rule number. Names without a
    /// verdict are scheduled normally and reported as [`Event::UnknownComm`].
    ByComm {
        /// Chosen by the caller. A number is not used again for other patterns: verdicts are kept by it.
        rule: u32,
    },
}

/// What a rule says of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule means this name.
    Governed(Resolved),
    /// It does not.
    Ungoverned,
}

/// A strategy for one process, stronger than any cgroup's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidRule {
    /// Thread group id, as the initial pid namespace numbers it.
    pub tgid: u32,
    /// Start time of the leader in clock ticks after boot (field 22 of `stat`): another process that gets
    /// the same number is not governed.
    pub start_ticks: u64,
    /// The strategy.
    pub resolved: Resolved,
}

/// Where a task's strategy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// No rule concerns it.
    None,
    /// The rule of its cgroup or of one above, for every name.
    Cgroup,
    /// The verdict of such a rule on its leader's name.
    Verdict,
    /// A rule for its process.
    Pid,
    /// A rule asks for a verdict that is not there yet; it is scheduled normally until then.
    Pending,
    /// A rule that does not mean its leader's name.
    Refused,
}

/// How the kernel side sees one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// The strategy it has, if any.
    pub strategy: Option<Resolved>,
    /// Where that comes from.
    pub source: Source,
    /// Its cgroup when it was last looked up.
    pub cgroup: u64,
    /// The cgroup whose rule decided; `None` without one.
    pub rule_cgroup: Option<u64>,
    /// The generation of that lookup; 0 if it was never enqueued.
    pub generation: u64,
    /// When it was first enqueued under the rule that decides now, in monotonic nanoseconds.
    pub first_governed_ns: Option<u64>,
    /// Times it became runnable with a strategy.
    pub enqueues_governed: u64,
    /// Times it became runnable without.
    pub enqueues_normal: u64,
    /// Its place in the order of the default class, in weighted nanoseconds.
    pub vtime: u64,
    /// What is left of its wake budget in this window, in nanoseconds.
    pub budget_ns: u64,
}

/// A map did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum MapsError {
    /// No room. What the map held before is kept.
    #[error("map {map} is full: it holds at most {limit} entries")]
    Full {
        /// Name of the map.
        map: &'static str,
        /// Its size.
        limit: u32,
    },
    /// The kernel refused.
    #[error("cannot {operation} map {map}: {source}")]
    Kernel {
        /// Name of the map.
        map: &'static str,
        /// What was tried: `read`, `write` or `delete from`.
        operation: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A value of another size than both sides agreed on.
    #[error("map {map} gave {found} bytes where {wanted} were expected")]
    Shape {
        /// Name of the map.
        map: &'static str,
        /// Bytes found.
        found: usize,
        /// Bytes expected.
        wanted: usize,
    },
}

/// The maps of a loaded scheduler.
pub trait KernelMaps {
    /// Sets or replaces the rule of a cgroup (its id is the inode number of its directory).
    fn put_cgroup(&mut self, cgroup: u64, rule: CgroupRule) -> Result<(), MapsError>;

    /// Removes the rule of a cgroup and its counters; fine if there is none.
    fn remove_cgroup(&mut self, cgroup: u64) -> Result<(), MapsError>;

    /// Answers what a rule says of a name.
    fn put_verdict(&mut self, rule: u32, comm: &Comm, verdict: Verdict) -> Result<(), MapsError>;

    /// Sets or replaces rules for processes. At [`MapsError::Full`] the rows before the first that found no
    /// room are in.
    fn put_pids(&mut self, rows: &[PidRule]) -> Result<(), MapsError>;

    /// Removes rules for processes; fine where there is none.
    fn remove_pids(&mut self, tgids: &[u32]) -> Result<(), MapsError>;

    /// Makes every task look up its strategy anew at its next enqueue. Returns the new generation.
    fn publish(&mut self) -> Result<u64, MapsError>;

    /// All counters and gauges of the node.
    fn counters(&self) -> Result<Counters, MapsError>;

    /// The counters of a cgroup that has a rule; `None` without one.
    fn cgroup_counters(&self, cgroup: u64) -> Result<Option<CgroupCounters>, MapsError>;

    /// How a thread is seen; `None` if there is no such thread, or it has not been seen yet.
    fn task(&self, tid: u32) -> Result<Option<TaskView>, MapsError>;
}
