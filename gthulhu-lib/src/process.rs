//! Processes of pods, and the one interface behind which every way of finding them hides.
//!
//! Identity is `(pid, start time)`: the kernel hands the same number out again, but not with the same start
//! time. What a process claims about itself (its name) only ever selects it inside its own pod; which pod it
//! is in comes from its cgroup, which it cannot choose (see [`cgroup`]).

pub mod cgroup;
pub mod connector;
pub mod governed;
pub mod walk;

use std::collections::HashSet;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;

use cgroup::Refusal;

/// A process, safe against reuse of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId {
    /// Thread group id.
    pub pid: u32,
    /// Start time in clock ticks after boot (field 22 of `stat`).
    pub start: u64,
}

/// A command name as the kernel keeps it: at most 15 bytes, not necessarily UTF-8, set by the process itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comm {
    bytes: [u8; Comm::MAX],
    len: u8,
}

impl Comm {
    /// The longest command name, in bytes.
    pub const MAX: usize = 15;

    /// Takes a name; what is longer than the kernel allows is cut off.
    pub fn new(name: &[u8]) -> Self {
        let name = &name[..name.len().min(Self::MAX)];
        let mut bytes = [0; Self::MAX];
        bytes[..name.len()].copy_from_slice(name);
        Self { bytes, len: u8::try_from(name.len()).unwrap_or_default() }
    }

    /// The name, byte for byte.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// A number that no other name has.
    pub(crate) fn key(&self) -> u128 {
        let mut key = [self.len; Self::MAX + 1];
        key[..Self::MAX].copy_from_slice(&self.bytes);
        u128::from_le_bytes(key)
    }
}

/// The name with bytes that are not UTF-8 replaced.
impl fmt::Display for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}

/// A thread other than its process's leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thread {
    /// Thread id.
    pub tid: u32,
    /// Start time in clock ticks after boot.
    pub start: u64,
}

/// A process of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Number and start time of the leader.
    pub id: ProcessId,
    /// Number of the parent process; 0 if it has none that can be seen.
    pub parent: u32,
    /// The leader's command name.
    pub comm: Comm,
    /// Pod uid in lower case (with `-`, or 32 hex digits for a static pod).
    pub pod_uid: Arc<str>,
    /// Container id (64 hex digits) if its cgroup is named in a way that is known.
    pub container_id: Option<Arc<str>>,
    /// The threads other than the leader, by tid. Filled for governed pods only.
    pub threads: Vec<Thread>,
}

/// The pods that have intents: of their processes a source reports the threads too. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Governed(Arc<HashSet<Arc<str>>>);

impl Governed {
    /// Of uids that are in lower case already.
    pub(crate) fn of_lower_case<'a>(uids: impl Iterator<Item = &'a Arc<str>>) -> Self {
        Self(Arc::new(uids.cloned().collect()))
    }

    /// Whether no pod has an intent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the pod (uid in lower case) has an intent.
    pub fn contains(&self, pod_uid: &str) -> bool {
        self.0.contains(pod_uid)
    }
}

impl<S: AsRef<str>> FromIterator<S> for Governed {
    fn from_iter<I: IntoIterator<Item = S>>(uids: I) -> Self {
        let uids = uids.into_iter().map(|uid| uid.as_ref().to_ascii_lowercase().into());
        Self(Arc::new(uids.collect()))
    }
}

/// Processes of pods of this node at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The processes, in any order; of those with one number, only the one that started last is still there.
    pub processes: Vec<Process>,
    /// Processes that were seen and left out, and why.
    pub left_out: LeftOut,
}

/// How many live processes a snapshot could not attribute. Either count hints at something to look into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Their cgroup names more than one pod, so none is believed.
    pub refused: u64,
    /// Their files could not be read or made no sense.
    pub unreadable: u64,
}

/// What happened since the last snapshot or the last list of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// The source cannot tell (it never can, or it lost events): take a snapshot.
    Unknown,
    /// Exactly this, in this order.
    List(Vec<Change>),
}

/// One change to the processes of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A process started in a pod or was moved into one. Replaces whatever is known about its number.
    Appeared(Process),
    /// The leader has another command name, by exec or by its own wish.
    Renamed(ProcessId, Comm),
    /// A process of a governed pod has one more thread.
    ThreadAppeared(ProcessId, Thread),
    /// A thread ended; its process goes on.
    ThreadGone(ProcessId, Thread),
    /// The process ended, or left its pod's cgroups.
    Gone(ProcessId),
}

/// Where one process stands, looked up at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// No live process or thread has this number.
    NotFound,
    /// It lives, but in no pod's cgroup.
    Elsewhere,
    /// Its cgroup names a pod in a way that is not believed.
    Refused(Refusal),
    /// It is this process of a pod, or a thread of it.
    InPod(Process),
}

/// A way of finding the processes of pods. All ways give the same answers and differ only in cost and delay.
///
/// The caller takes one snapshot first, and again whenever the governed pods change or [`Changes::Unknown`]
/// is reported; in between it asks for changes. No method waits for anything to happen.
pub trait ProcessSource: Send {
    /// Short name for logs and answers, such as `proc-walk`.
    fn name(&self) -> &'static str;

    /// All processes of `governed` pods as they are now, with their threads. Later [`changes`](Self::changes) and
    /// [`events`](Self::events) are relative to this and keep to the same pods.
    ///
    /// # Errors
    ///
    /// If what the source lives from cannot be read. A process that cannot is counted in [`LeftOut`].
    fn snapshot(&mut self, governed: &Governed) -> Result<Snapshot, SourceError>;

    /// What happened since the last report, complete as of now.
    ///
    /// # Errors
    ///
    /// If what the source lives from cannot be read. What was to be told may be lost: a snapshot is due.
    fn changes(&mut self) -> Result<Changes, SourceError>;

    /// What [`wake_fd`](Self::wake_fd) has to tell: cheaper than [`changes`](Self::changes) and perhaps less. What is
    /// left out here is in the next changes.
    ///
    /// # Errors
    ///
    /// As of [`changes`](Self::changes).
    fn events(&mut self) -> Result<Changes, SourceError> {
        self.changes()
    }

    /// All processes of all pods as they are now, without threads. No report is relative to this.
    ///
    /// # Errors
    ///
    /// As of [`snapshot`](Self::snapshot).
    fn survey(&mut self) -> Result<Snapshot, SourceError>;

    /// Looks one process or thread up, past everything remembered; for explaining, not for resolving.
    ///
    /// # Errors
    ///
    /// If what the source lives from cannot be read. A task that is gone is [`Located::NotFound`].
    fn locate(&mut self, tid: u32) -> Result<Located, SourceError>;

    /// Is readable while there are [`events`](Self::events) to ask for. `None`: the caller has to poll. Even with it, some
    /// things are found by asking for [`changes`](Self::changes) only; each source says which.
    fn wake_fd(&self) -> Option<BorrowedFd<'_>>;
}

/// A source cannot work at all. (What goes wrong with a single process is counted, not an error.)
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The directory or device that the source lives from cannot be read.
    #[error("reading processes from {}", path.display())]
    Unreadable {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configured cgroup root cannot be one.
    #[error("cgroup root {0:?} must be an absolute path below the cgroup mount, without \".\" or \"..\"")]
    CgroupRoot(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_keeps_its_bytes_up_to_the_kernels_bound() {
        for (given, kept, shown) in [
            (&b""[..], &b""[..], ""),
            (b"nginx", b"nginx", "nginx"),
            (b"fifteen-bytes-x", b"fifteen-bytes-x", "fifteen-bytes-x"),
            (b"more-than-fifteen-bytes", b"more-than-fifte", "more-than-fifte"),
            (b") R 1 (\n", b") R 1 (\n", ") R 1 (\n"),
            (b"\xffz", b"\xffz", "\u{fffd}z"),
        ] {
            let comm = Comm::new(given);
            assert_eq!(comm.as_bytes(), kept);
            assert_eq!(comm.to_string(), shown);
        }
    }

    #[test]
    fn governed_pods_are_found_however_their_uid_was_written() {
        let governed: Governed = ["AbC", "d"].into_iter().collect();
        assert!(governed.contains("abc") && governed.contains("d"));
        assert!(!governed.contains("e"));
    }
}
