//! The source that always works: a walk over `/proc`.
//!
//! All facts about one process have to be of one process, although its number may be given to another between two
//! reads. An open file of `/proc/PID` speaks of the process that had the number when it was opened, and once that is
//! gone the kernel answers every read with an error. So a process's `stat` is opened first and read last: if it can be
//! read, the number was not free in between, and everything opened in between is of the same process. That costs less
//! than a handle on the directory. A process that goes away in mid-read is skipped.

pub(super) mod files;
pub mod stat;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::Dir;

use super::cgroup::{OwnDepth, Placement, Roots};
use super::{
    Changes, Governed, LeftOut, Located, Process, ProcessId, ProcessSource, Snapshot, SourceError, Thread,
};
use stat::Stat;

/// Where to walk.
#[derive(Clone, Debug)]
pub struct WalkOptions {
    /// The proc file system to read; in a container the host's may be mounted elsewhere than at `/proc`.
    pub proc_root: PathBuf,
    /// The directory that holds the pods' cgroups, as a path from the root of the cgroup mount, if it is none of
    /// the usual ones.
    pub cgroup_root: Option<String>,
}

/// The usual places.
impl Default for WalkOptions {
    fn default() -> Self {
        Self { proc_root: PathBuf::from("/proc"), cgroup_root: None }
    }
}

/// Reads everything anew for each snapshot and never knows what changed.
#[derive(Debug)]
pub struct ProcWalk {
    proc_root: PathBuf,
    roots: Roots,
    /// Whether cgroups of version 1 do not count.
    unified: bool,
    /// Reused for every file.
    text: Vec<u8>,
}

impl ProcWalk {
    /// Prepares a walk and learns from which cgroup namespace it looks.
    ///
    /// # Errors
    ///
    /// Only for a bad cgroup root, as of [`Roots::new`]: a proc file system that cannot be read is an error of each
    /// snapshot, since it may come back.
    pub fn new(options: WalkOptions) -> Result<Self, SourceError> {
        let WalkOptions { proc_root, cgroup_root } = options;
        let first =
            ["1", "2"].map(|pid| std::fs::read(proc_root.join(pid).join("cgroup")).unwrap_or_default());
        let own = OwnDepth::learn(first.iter().map(Vec::as_slice));
        let roots = Roots::new(cgroup_root.as_deref(), own)?;
        Ok(Self { proc_root, roots, unified: false, text: Vec::new() })
    }

    /// A walk for which only cgroups of version 2 count.
    pub(super) fn unified(options: WalkOptions) -> Result<Self, SourceError> {
        Ok(Self { unified: true, ..Self::new(options)? })
    }

    /// Whether any process is in a pod by its cgroups of version 1 and not by that of version 2. (Who is refused is in no
    /// pod.)
    pub(super) fn finds_more_in_version_1(&mut self, proc: &OwnedFd) -> io::Result<bool> {
        for pid in numbers(Dir::read_from(proc)?) {
            // One that has ended, or cannot be read, tells nothing.
            if files::read(proc, format!("{}/cgroup", pid?), &mut self.text).is_ok()
                && matches!(self.roots.place(&self.text), Placement::Pod { .. })
                && self.roots.place_unified(&self.text) == Placement::Elsewhere
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn open(&self) -> Result<OwnedFd, SourceError> {
        files::open_dir(rustix::fs::CWD, &self.proc_root).map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, source: io::Error) -> SourceError {
        SourceError::Unreadable { path: self.proc_root.clone(), source }
    }

    /// Reads one process as far as `how` says of its pod.
    pub(super) fn process(
        &mut self,
        proc: &OwnedFd,
        pid: u32,
        how: impl Fn(&str) -> Depth,
    ) -> io::Result<Located> {
        let stat = files::open(proc, format!("{pid}/stat"))?;
        files::read(proc, format!("{pid}/cgroup"), &mut self.text)?;
        let placed =
            if self.unified { self.roots.place_unified(&self.text) } else { self.roots.place(&self.text) };
        let (pod_uid, container_id) = match placed {
            Placement::Elsewhere => return Ok(Located::Elsewhere),
            Placement::Refused(why) => return Ok(Located::Refused(why)),
            Placement::Pod { uid, container } => (Arc::<str>::from(uid), container.map(Arc::from)),
        };
        let task = match how(&pod_uid) {
            Depth::Nothing => return Ok(Located::Elsewhere),
            Depth::Leader => None,
            Depth::Threads => Some(files::open_dir(proc, format!("{pid}/task"))?),
        };
        files::read_open(&stat, &mut self.text)?;
        let stat = Stat::parse(&self.text).ok_or(io::ErrorKind::InvalidData)?;
        if stat.is_dead() {
            return Ok(Located::NotFound);
        }
        let threads = task.map(|task| threads(&task, pid, &mut self.text)).transpose()?.unwrap_or_default();
        let Stat { parent, comm, start, .. } = stat;
        let id = ProcessId { pid, start };
        Ok(Located::InPod(Process { id, parent, comm, pod_uid, container_id, threads }))
    }

    /// All processes whose pod `how` does not leave out.
    fn processes(&mut self, how: impl Fn(&str) -> Depth) -> Result<Snapshot, SourceError> {
        let proc = self.open()?;
        let entries = Dir::read_from(&proc).map_err(|error| self.unreadable(error.into()))?;
        let mut processes = Vec::new();
        let mut left_out = LeftOut::default();
        let mut seen_any = false;
        for pid in numbers(entries) {
            let pid = pid.map_err(|error| self.unreadable(error))?;
            seen_any = true;
            match self.process(&proc, pid, &how) {
                Ok(Located::InPod(process)) => processes.push(process),
                Ok(Located::Refused(_)) => left_out.refused += 1,
                Ok(Located::Elsewhere | Located::NotFound) => {}
                Err(error) if is_gone(&error) => {}
                Err(_) => left_out.unreadable += 1,
            }
        }
        if !seen_any {
            // The walker itself is a process, so this is no proc file system. Taking it for a node without
            // pods would withdraw every strategy.
            return Err(
                self.unreadable(io::Error::other("no process in it: is the host's /proc mounted there?"))
            );
        }
        Ok(Snapshot { processes, left_out })
    }
}

/// How far a process is read, by its pod.
#[derive(Clone, Copy, Debug)]
pub(super) enum Depth {
    /// It is as good as outside.
    Nothing,
    /// Without other threads.
    Leader,
    /// With all threads.
    Threads,
}

impl ProcessSource for ProcWalk {
    fn name(&self) -> &'static str {
        "proc-walk"
    }

    fn snapshot(&mut self, governed: &Governed) -> Result<Snapshot, SourceError> {
        self.processes(|pod| if governed.contains(pod) { Depth::Threads } else { Depth::Nothing })
    }

    fn changes(&mut self) -> Result<Changes, SourceError> {
        Ok(Changes::Unknown)
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        self.processes(|_| Depth::Leader)
    }

    fn locate(&mut self, tid: u32) -> Result<Located, SourceError> {
        let proc = self.open()?;
        // Threads other than leaders are not listed in the proc file system, but can be asked for.
        let leader = match files::read(&proc, format!("{tid}/status"), &mut self.text) {
            Ok(()) => stat::leader(&self.text).unwrap_or(tid),
            Err(_) => tid,
        };
        match self.process(&proc, leader, |_| Depth::Threads) {
            Ok(located) => Ok(located),
            Err(error) if is_gone(&error) => Ok(Located::NotFound),
            Err(error) => {
                Err(SourceError::Unreadable { path: self.proc_root.join(leader.to_string()), source: error })
            }
        }
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// The threads that the directory `task` of a process lists, without its leader.
pub(super) fn threads(task: &OwnedFd, leader: u32, text: &mut Vec<u8>) -> io::Result<Vec<Thread>> {
    let mut threads = Vec::new();
    for tid in numbers(Dir::read_from(task)?) {
        let tid = tid?;
        if tid == leader {
            continue;
        }
        match files::read(task, format!("{tid}/stat"), text) {
            Err(error) if is_gone(&error) => continue,
            read => read?,
        }
        let stat = Stat::parse(text).ok_or(io::ErrorKind::InvalidData)?;
        if !stat.is_ended() {
            threads.push(Thread { tid, start: stat.start });
        }
    }
    threads.sort_unstable();
    Ok(threads)
}

/// The entries of a directory that are named by a pid or tid.
fn numbers(dir: Dir) -> impl Iterator<Item = io::Result<u32>> {
    dir.filter_map(|entry| match entry {
        Ok(entry) => {
            let name = entry.file_name().to_str().ok()?;
            let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
            name.parse().ok().filter(|&number| is_number && number > 0).map(Ok)
        }
        Err(error) => Some(Err(error.into())),
    })
}

/// Whether reading failed because the process or thread ended.
pub(super) fn is_gone(error: &io::Error) -> bool {
    let gone = [rustix::io::Errno::NOENT, rustix::io::Errno::SRCH];
    gone.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests;
