//! What becomes of the processes of pods, as a monitor tells it.

use serde::{Deserialize, Serialize};

use super::is_zero;
use crate::process::{Change, Comm, Process, ProcessId, Snapshot, Thread};

/// Up, from a [`Monitor`](super::Role::Monitor): which processes of pods there are, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Processes {
    /// All that was told before does not hold any more: these are the first of all processes.
    #[serde(skip_serializing_if = "is_false")]
    pub anew: bool,
    /// Until the rest of them has come nothing is to be built on what was told.
    #[serde(skip_serializing_if = "is_false")]
    pub more: bool,
    /// Of those who are told anew: how many are left out since their cgroup names more than one pod.
    #[serde(skip_serializing_if = "is_zero")]
    pub refused: u64,
    /// And how many since their cgroup cannot be looked at.
    #[serde(skip_serializing_if = "is_zero")]
    pub unreadable: u64,
    /// What happened, oldest first.
    pub news: Vec<News>,
}

/// Bytes of JSON in a frame, at most and nearly; far below what a frame may have.
const ROOM: usize = 1 << 20;
/// Threads that are told with their process; the others are told one by one.
const THREADS: usize = 1000;
/// The longest that the JSON of one thread is, and of all that a process is beside its threads.
const THREAD: usize = 64;
const PROCESS: usize = 640;

impl Processes {
    /// All processes that there are, from a snapshot of all pods.
    pub fn all(snapshot: &Snapshot) -> Self {
        let Snapshot { processes, left_out } = snapshot;
        let news = processes.iter().map(|process| News::Appeared(process.into())).collect();
        Self { anew: true, more: false, refused: left_out.refused, unreadable: left_out.unreadable, news }
    }

    /// What happened.
    pub fn changes(changes: &[Change]) -> Self {
        Self { news: changes.iter().map(News::from).collect(), ..Self::default() }
    }

    /// In parts that each fit into a frame, however many processes and threads there are.
    pub fn into_parts(self) -> Vec<Self> {
        let Self { anew, more, refused, unreadable, news } = self;
        let mut parts = vec![Self { anew, refused, unreadable, ..Self::default() }];
        let mut used = 0;
        for news in news.into_iter().flat_map(News::into_small) {
            let length = PROCESS + news.threads() * THREAD;
            if used + length > ROOM {
                parts.push(Self::default());
                used = 0;
            }
            used += length;
            if let Some(part) = parts.last_mut() {
                part.news.push(news);
            }
        }
        let last = parts.len() - 1;
        for (number, part) in parts.iter_mut().enumerate() {
            // What changes can be built upon as it comes; who is there, when all are told.
            part.more = more || (anew && number < last);
        }
        parts
    }
}

/// One thing that happened to a process of a pod. A process is named by its number and its start, in clock ticks after
/// boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum News {
    /// It is there, as this says. Replaces what was told of its number.
    Appeared(ProcessBody),
    /// Its leader has another name.
    Renamed {
        /// Number of the process.
        pid: u32,
        /// Its start.
        start_time: u64,
        /// The name.
        command: Command,
    },
    /// It has one more thread.
    ThreadAppeared {
        /// Number of the process.
        pid: u32,
        /// Its start.
        start_time: u64,
        /// The thread.
        thread: ThreadBody,
    },
    /// A thread of it ended.
    ThreadGone {
        /// Number of the process.
        pid: u32,
        /// Its start.
        start_time: u64,
        /// The thread.
        thread: ThreadBody,
    },
    /// It ended, or is in no pod any more.
    Gone {
        /// Number of the process.
        pid: u32,
        /// Its start.
        start_time: u64,
    },
    /// Something that a newer monitor tells.
    #[serde(other)]
    Unknown,
}

/// A process of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessBody {
    /// Its number.
    pub pid: u32,
    /// Its start.
    pub start_time: u64,
    /// Number of its parent.
    pub parent: u32,
    /// Name of its leader.
    pub command: Command,
    /// The pod's uid.
    #[serde(rename = "podID")]
    pub pod_id: String,
    /// The container's id, if it is known.
    #[serde(rename = "containerID", default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// Its threads but the leader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<ThreadBody>,
}

/// A thread other than a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadBody {
    /// Its number.
    pub tid: u32,
    /// Its start.
    pub start_time: u64,
}

/// A command name, which a process chooses: any bytes but NUL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    /// As text.
    Text(String),
    /// Byte by byte, if it is no text.
    Bytes(Vec<u8>),
}

impl From<&Process> for ProcessBody {
    fn from(process: &Process) -> Self {
        Self {
            pid: process.id.pid,
            start_time: process.id.start,
            parent: process.parent,
            command: process.comm.into(),
            pod_id: process.pod_uid.to_string(),
            container_id: process.container_id.as_deref().map(str::to_owned),
            threads: process.threads.iter().copied().map(ThreadBody::from).collect(),
        }
    }
}

impl From<ProcessBody> for Process {
    fn from(body: ProcessBody) -> Self {
        let mut threads: Vec<Thread> = body.threads.into_iter().map(Thread::from).collect();
        threads.sort_unstable();
        Self {
            id: ProcessId { pid: body.pid, start: body.start_time },
            parent: body.parent,
            comm: body.command.into(),
            pod_uid: body.pod_id.to_ascii_lowercase().into(),
            container_id: body.container_id.map(Into::into),
            threads,
        }
    }
}

impl From<&Change> for News {
    fn from(change: &Change) -> Self {
        match change {
            Change::Appeared(process) => Self::Appeared(process.into()),
            &Change::Renamed(ProcessId { pid, start }, comm) => {
                Self::Renamed { pid, start_time: start, command: comm.into() }
            }
            &Change::ThreadAppeared(ProcessId { pid, start }, thread) => {
                Self::ThreadAppeared { pid, start_time: start, thread: thread.into() }
            }
            &Change::ThreadGone(ProcessId { pid, start }, thread) => {
                Self::ThreadGone { pid, start_time: start, thread: thread.into() }
            }
            &Change::Gone(ProcessId { pid, start }) => Self::Gone { pid, start_time: start },
        }
    }
}

impl News {
    fn threads(&self) -> usize {
        if let Self::Appeared(body) = self { body.threads.len() } else { 0 }
    }

    /// The same with no more than so many threads at once.
    fn into_small(mut self) -> impl Iterator<Item = Self> {
        let mut rest = Vec::new();
        if let Self::Appeared(body) = &mut self
            && body.threads.len() > THREADS
        {
            let (pid, start_time) = (body.pid, body.start_time);
            let told = |thread| Self::ThreadAppeared { pid, start_time, thread };
            rest.extend(body.threads.split_off(THREADS).into_iter().map(told));
        }
        std::iter::once(self).chain(rest)
    }

    /// What it means; `None` if it is of a kind that this build does not know.
    pub fn change(self) -> Option<Change> {
        let id = |pid, start| ProcessId { pid, start };
        Some(match self {
            Self::Appeared(body) => Change::Appeared(body.into()),
            Self::Renamed { pid, start_time, command } => {
                Change::Renamed(id(pid, start_time), command.into())
            }
            Self::ThreadAppeared { pid, start_time, thread } => {
                Change::ThreadAppeared(id(pid, start_time), thread.into())
            }
            Self::ThreadGone { pid, start_time, thread } => {
                Change::ThreadGone(id(pid, start_time), thread.into())
            }
            Self::Gone { pid, start_time } => Change::Gone(id(pid, start_time)),
            Self::Unknown => return None,
        })
    }
}

impl From<Thread> for ThreadBody {
    fn from(Thread { tid, start }: Thread) -> Self {
        Self { tid, start_time: start }
    }
}

impl From<ThreadBody> for Thread {
    fn from(ThreadBody { tid, start_time }: ThreadBody) -> Self {
        Self { tid, start: start_time }
    }
}

impl From<Comm> for Command {
    fn from(comm: Comm) -> Self {
        let bytes = comm.as_bytes().to_vec();
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

impl From<Command> for Comm {
    fn from(command: Command) -> Self {
        match command {
            Command::Text(text) => Comm::new(text.as_bytes()),
            Command::Bytes(bytes) => Comm::new(&bytes),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
