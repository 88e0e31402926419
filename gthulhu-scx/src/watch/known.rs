//! All processes of the machine as they were told of, and what each report makes of those that somebody asks for.

use std::collections::HashMap;

use gthulhu_lib::process::{Change, Comm, Governed, Located, Process, ProcessId, Snapshot, Thread};

use super::layout::{Deed, Task};
use super::tree::{Place, Pod, Tree};

/// Nanoseconds of a clock tick, in which user space is told when a task started.
const TICK: u64 = 10_000_000;

/// Which processes are asked for.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    /// Those of these pods.
    Of(Governed),
    /// Those of all pods.
    AllPods,
}

/// Says which process is asked for, by its cgroup.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) tree: &'a Tree,
    pub(super) scope: &'a Scope,
}

impl<'a> View<'a> {
    fn pod(self, cgroup: u64) -> Option<&'a Pod> {
        let Some(Place::Pod(pod)) = self.tree.place(cgroup) else { return None };
        match self.scope {
            Scope::Of(governed) => governed.contains(&pod.uid).then_some(pod),
            Scope::AllPods => Some(pod),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Known {
    processes: HashMap<u32, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// With the pid it is a name for ever, unlike the ticks that user space is told.
    start_ns: u64,
    parent: u32,
    comm: Comm,
    cgroup: u64,
    leader_ended: bool,
    /// Those other than the leader, by tid.
    threads: Vec<Thread>,
}

impl Entry {
    fn of(task: &Task) -> Self {
        Self {
            start_ns: task.leader_start_ns,
            parent: task.parent,
            comm: task.comm,
            cgroup: task.cgroup,
            leader_ended: task.leader_ended,
            threads: Vec::new(),
        }
    }

    fn id(&self, pid: u32) -> ProcessId {
        ProcessId { pid, start: self.start_ns / TICK }
    }

    fn process(&self, pid: u32, Pod { uid, container }: &Pod) -> Process {
        Process {
            id: self.id(pid),
            parent: self.parent,
            comm: self.comm,
            pod_uid: uid.clone(),
            container_id: container.clone(),
            threads: self.threads.clone(),
        }
    }

    /// Says whether the thread was not known.
    fn add(&mut self, thread: Thread) -> bool {
        match self.threads.binary_search_by_key(&thread.tid, |known| known.tid) {
            Ok(at) if self.threads[at] == thread => false,
            Ok(at) => {
                self.threads[at] = thread;
                true
            }
            Err(at) => {
                self.threads.insert(at, thread);
                true
            }
        }
    }
}

impl Known {
    /// What a listing says.
    pub(super) fn listed(tasks: impl Iterator<Item = Task>) -> Self {
        let mut processes = HashMap::with_capacity(tasks.size_hint().1.unwrap_or(0));
        for task in tasks {
            let entry = processes.entry(task.tgid).or_insert_with(|| Entry::of(&task));
            // A listing takes a while, and meanwhile a number may go to somebody else, who is told of.
            if !task.is_leader() && entry.start_ns == task.leader_start_ns {
                entry.add(thread(&task));
            }
        }
        Self { processes }
    }

    /// Takes one report, in the order in which things happened, and adds what it changes of what `view` asks for.
    pub(super) fn take(&mut self, deed: Deed, task: &Task, view: View<'_>, changes: &mut Vec<Change>) {
        match deed {
            Deed::Begun if task.is_leader() => self.begun(task, view, changes),
            Deed::Begun => self.thread_begun(task, view, changes),
            Deed::Program => self.replace(task, view, changes),
            Deed::Named => self.named(task, view, changes),
            Deed::Moved => self.moved(task, view, changes),
            Deed::Ended => self.ended(task, view, changes),
            Deed::Listed => {}
        }
    }

    fn begun(&mut self, task: &Task, view: View<'_>, changes: &mut Vec<Change>) {
        // Who was in the listing already may have gone on since.
        if self.same(task).is_none() {
            self.replace(task, view, changes);
        }
    }

    /// The process is from now on what the report says, and has one thread.
    fn replace(&mut self, task: &Task, view: View<'_>, changes: &mut Vec<Change>) {
        if self.same(task).is_none() {
            // The number was another process's, whose end was not told.
            self.gone(task.tgid, view, changes);
        }
        let entry = Entry::of(task);
        if let Some(pod) = view.pod(entry.cgroup) {
            changes.push(Change::Appeared(entry.process(task.tgid, pod)));
        }
        self.processes.insert(task.tgid, entry);
    }

    fn thread_begun(&mut self, task: &Task, view: View<'_>, changes: &mut Vec<Change>) {
        let Some(entry) = self.same(task) else { return };
        let thread = thread(task);
        if entry.add(thread) && view.pod(entry.cgroup).is_some() {
            changes.push(Change::ThreadAppeared(entry.id(task.tgid), thread));
        }
    }

    fn named(&mut self, task: &Task, view: View<'_>, changes: &mut Vec<Change>) {
        let Some(entry) = self.same(task).filter(|entry| entry.comm != task.comm) else { return };
        entry.comm = task.comm;
        if view.pod(entry.cgroup).is_some() {
            changes.push(Change::Renamed(entry.id(task.tgid), task.comm));
        }
    }

    fn moved(&mut self, task: &Task, view: View<'_>, changes: &mut Vec<Change>) {
        let Some(entry) = self.same(task) else { return };
        let before = view.pod(std::mem::replace(&mut entry.cgroup, task.cgroup));
        match view.pod(task.cgroup) {
            pod if pod == before => {}
            Some(pod) => changes.push(Change::Appeared(entry.process(task.tgid, pod))),
            None => changes.push(Change::Gone(entry.id(task.tgid))),
        }
    }

    fn ended(&mut self, task: &Task, view: View<'_>, changes: &mut Vec<Change>) {
        let Some(entry) = self.same(task) else { return };
        if task.is_leader() {
            entry.leader_ended = true;
        } else if let Ok(at) = entry.threads.binary_search_by_key(&task.tid, |thread| thread.tid) {
            let thread = entry.threads.remove(at);
            if view.pod(entry.cgroup).is_some() {
                changes.push(Change::ThreadGone(entry.id(task.tgid), thread));
            }
        }
        if task.is_last || (entry.leader_ended && entry.threads.is_empty()) {
            self.gone(task.tgid, view, changes);
        }
    }

    fn gone(&mut self, pid: u32, view: View<'_>, changes: &mut Vec<Change>) {
        let gone = self.processes.remove(&pid).filter(|entry| view.pod(entry.cgroup).is_some());
        changes.extend(gone.map(|entry| Change::Gone(entry.id(pid))));
    }

    /// The process that the report is of, if it is known.
    fn same(&mut self, task: &Task) -> Option<&mut Entry> {
        self.processes.get_mut(&task.tgid).filter(|entry| entry.start_ns == task.leader_start_ns)
    }

    /// Whether somebody is in a cgroup that is not known.
    pub(super) fn is_lost_in(&self, tree: &Tree) -> bool {
        self.processes.values().any(|entry| tree.place(entry.cgroup).is_none())
    }

    /// The processes that are asked for.
    pub(super) fn snapshot(&self, view: View<'_>) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (&pid, entry) in &self.processes {
            match view.tree.place(entry.cgroup) {
                Some(Place::Pod(_)) => {
                    let process = view.pod(entry.cgroup).map(|pod| entry.process(pid, pod));
                    snapshot.processes.extend(process);
                }
                Some(Place::Elsewhere) => {}
                Some(Place::Refused(_)) => snapshot.left_out.refused += 1,
                None => snapshot.left_out.unreadable += 1,
            }
        }
        snapshot
    }

    /// Where a process or thread stands.
    pub(super) fn locate(&self, tid: u32, tree: &Tree) -> Located {
        let has = |entry: &Entry| entry.threads.binary_search_by_key(&tid, |thread| thread.tid).is_ok();
        let leader = self.processes.get_key_value(&tid);
        let Some((&pid, entry)) = leader.or_else(|| self.processes.iter().find(|(_, entry)| has(entry)))
        else {
            return Located::NotFound;
        };
        match tree.place(entry.cgroup) {
            Some(Place::Pod(pod)) => Located::InPod(entry.process(pid, pod)),
            Some(Place::Refused(why)) => Located::Refused(*why),
            Some(Place::Elsewhere) | None => Located::Elsewhere,
        }
    }
}

fn thread(task: &Task) -> Thread {
    Thread { tid: task.tid, start: task.start_ns / TICK }
}

#[cfg(test)]
mod tests;
