//! The table for programs that are no scheduler and ask which strategy a task has: every task that is here, with what the
//! kernel side finds for it by its own means.
//!
//! That goes by the rule of the process, else by that of the nearest cgroup which has one. The same is said here of tasks:
//! the engine has resolved those of pods; whoever is in a named cgroup, and not below another that has a rule, is looked
//! up there; and processes that were named themselves come last. It is said of what is wanted, whether or not a scheduler
//! is attached, as of the last look: a second ago, or when the kernel last told of a process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gthulhu_lib::process::walk::stat::Stat;
use gthulhu_lib::process::{Comm, ProcessId};
use gthulhu_lib::strategy::table::{StrategyTable, TableWriter};
use gthulhu_lib::strategy::{Entry, Resolved};

use super::{GovernError, Governor};

/// Start time and strategy of each task, by its number.
type Tasks = BTreeMap<u32, (u64, Resolved)>;

impl Governor {
    /// From now on this table is kept up to date, and processes are looked at for it.
    pub fn share(&mut self, writer: TableWriter) -> Arc<StrategyTable> {
        let table = Arc::clone(writer.table());
        self.readers = Some(writer);
        self.pace.share();
        table
    }

    /// Whether there is a table to keep up to date.
    pub fn shares(&self) -> bool {
        self.readers.is_some()
    }

    /// Does what is due for the table alone, while there are no maps and nobody tells of anything.
    pub fn work_for_readers(&mut self) -> Result<(), GovernError> {
        let wanted = self.stale.intents && self.pace.may_publish();
        if !self.shares() || !(wanted || self.pace.may_walk(false)) {
            return Ok(());
        }
        self.stale.places = true;
        let looked = self.look().and_then(|()| self.walk());
        looked.inspect_err(|_| self.pace.failed())
    }

    /// Publishes what is known now, if there is anybody to read it.
    pub(super) fn tell_readers(&mut self) {
        if self.readers.is_none() {
            return;
        }
        let mut tasks = Tasks::new();
        self.add_pods(&mut tasks, |pod| self.places.has_pod(pod));
        self.add_named_cgroups(&mut tasks);
        // Their processes have rules of their own, which come before any cgroup's.
        self.add_pods(&mut tasks, |pod| !self.places.has_pod(pod));
        self.add_named_processes(&mut tasks);
        if let Some(writer) = &mut self.readers {
            let entry = |(tid, (start, resolved))| (tid, Entry::pack(resolved, start));
            writer.replace(tasks.into_iter().map(entry).collect());
        }
    }

    /// The tasks of the pods that `is_meant` is true of, by their uids in lower case.
    fn add_pods(&self, tasks: &mut Tasks, is_meant: impl Fn(&str) -> bool) {
        for row in self.engine.rows() {
            if !is_meant(&self.engine.row_intent(row).pod_uid().to_ascii_lowercase()) {
                continue;
            }
            // Of two that claim one number, only the later can still be there.
            let known = tasks.get(&row.tid).is_some_and(|(start, _)| *start > row.start);
            if !known {
                tasks.insert(row.tid, (row.start, row.resolved));
            }
        }
    }

    fn add_named_cgroups(&mut self, tasks: &mut Tasks) {
        let Self { engine, places, tree, proc_root, .. } = self;
        let named: BTreeSet<u64> = places.named().map(|(_, cgroup)| cgroup.id).collect();
        let of_pods = places.pods().filter(|(pod, _)| engine.pod_rule(pod).is_some());
        let ruled = of_pods.flat_map(|(_, cgroups)| cgroups.iter().map(|cgroup| cgroup.id));
        let ruled: BTreeSet<u64> = ruled.chain(named).collect();
        for (group, cgroup) in places.named() {
            for process in processes_in(&tree.directory(&cgroup.path), &ruled, proc_root) {
                let due = engine.verdict(group, &process.comm);
                process.put(due, tasks);
            }
        }
    }

    fn add_named_processes(&self, tasks: &mut Tasks) {
        let named = self.wanted.processes.iter().map(|(&id, &resolved)| (id, Some(resolved)));
        let muted = self.wanted.muted.iter().map(|&id| (id, None));
        for (id, due) in named.chain(muted).filter(|(id, _)| !self.processes.is_gone(*id)) {
            if let Some(process) = Seen::read(&self.proc_root, id.pid).filter(|seen| seen.id == id) {
                process.put(due, tasks);
            }
        }
    }

    /// Whether the table depends on more than the engine is told of.
    pub(super) fn readers_want_more_than_pods(&self) -> bool {
        self.shares() && !(self.wanted.cgroups.is_empty() && self.wanted.processes.is_empty())
    }
}

/// A process as it is now.
struct Seen {
    id: ProcessId,
    comm: Comm,
    /// Number and start of each task, the leader included.
    tasks: Vec<(u32, u64)>,
}

impl Seen {
    /// `None` if there is no such process, or not any more.
    fn read(proc_root: &Path, pid: u32) -> Option<Self> {
        let dir = proc_root.join(pid.to_string());
        let read = |dir: &Path| Stat::parse(&fs::read(dir.join("stat")).ok()?);
        let stat = read(&dir).filter(|stat| !stat.is_dead())?;
        let mut tasks = vec![(pid, stat.start)];
        for entry in fs::read_dir(dir.join("task")).ok()?.flatten() {
            let tid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(tid) = tid.filter(|&tid| tid != pid) else { continue };
            // One that has ended meanwhile needs no entry.
            tasks.extend(read(&entry.path()).map(|thread| (tid, thread.start)));
        }
        // All of it was of one process if that is still there.
        let is_same = read(&dir).is_some_and(|again| again.start == stat.start);
        is_same.then_some(Self { id: ProcessId { pid, start: stat.start }, comm: stat.comm, tasks })
    }

    /// Notes what its tasks are due, in place of whatever was noted.
    fn put(self, due: Option<Resolved>, tasks: &mut Tasks) {
        for (tid, start) in self.tasks {
            match due {
                Some(resolved) => drop(tasks.insert(tid, (start, resolved))),
                None => drop(tasks.remove(&tid)),
            }
        }
    }
}

/// The processes in this cgroup and below, but for those below another one of `ruled`.
fn processes_in(directory: &Path, ruled: &BTreeSet<u64>, proc_root: &Path) -> Vec<Seen> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let members = members(&directory);
        let seen = members.iter().filter_map(|&pid| Seen::read(proc_root, pid));
        let mut seen: Vec<Seen> = seen.collect();
        if !seen.is_empty() {
            // Who was there before and after was there in between: nobody else's number was looked at.
            let still = self::members(&directory);
            seen.retain(|process| still.contains(&process.id.pid));
        }
        found.append(&mut seen);
        let below = fs::read_dir(&directory).into_iter().flatten().flatten();
        let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        directories.extend(below.filter(|entry| !ruled.contains(&entry.ino())).map(|entry| entry.path()));
    }
    found
}

/// The numbers in a `cgroup.procs`; 0 stands for those that are not seen from here.
fn members(directory: &Path) -> BTreeSet<u32> {
    let path: PathBuf = directory.join("cgroup.procs");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter(|&pid| pid != 0).collect()
}
