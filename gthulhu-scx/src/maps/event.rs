//! What the kernel side reports. Events are hints: a lost one is made up for by the next sweep.

use gthulhu_lib::process::Comm;

/// Something that user space may want to act on. Times are monotonic nanoseconds, numbers of processes are
/// those of the initial pid namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A rule has no verdict for a name; its process is scheduled normally until there is one. At most one in
    /// 100 ms for each pair.
    UnknownComm {
        /// The rule that asks.
        rule: u32,
        /// The leader's name.
        comm: Comm,
        /// Its process.
        tgid: u32,
        /// The cgroup of the task.
        cgroup: u64,
        /// When.
        at_ns: u64,
    },
    /// A cgroup was made.
    CgroupMade {
        /// Its id.
        cgroup: u64,
        /// Where, from the root of the hierarchy; cut off after 255 bytes.
        path: String,
        /// When.
        at_ns: u64,
    },
    /// A cgroup was removed.
    CgroupGone {
        /// Its id.
        cgroup: u64,
        /// Where it was.
        path: String,
        /// When.
        at_ns: u64,
    },
    /// In a governed cgroup a process was forked, executed a program, changed its name or moved in.
    ProcessNew {
        /// The process.
        tgid: u32,
        /// Its leader's name now.
        comm: Comm,
        /// Its cgroup.
        cgroup: u64,
        /// When.
        at_ns: u64,
    },
    /// The last thread of a process ended that was in a governed cgroup or had a rule of its own (which is
    /// gone with it).
    ProcessGone {
        /// The process.
        tgid: u32,
        /// The cgroup it was in.
        cgroup: u64,
        /// When.
        at_ns: u64,
    },
}
