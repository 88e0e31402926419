//! What is known of the processes of governed pods, and what each event makes of it.

use std::collections::{HashMap, HashSet};

use super::event::{Event, Task};
use crate::process::{Change, Process, ProcessId, Thread};

/// A look at a process, past what is known.
pub(super) trait Look {
    /// The process with this number, if it is in a governed pod.
    fn process(&mut self, pid: u32) -> Option<Process>;
    /// When the thread of that process started.
    fn thread(&mut self, id: ProcessId, tid: u32) -> Option<u64>;
}

#[derive(Debug, Default)]
pub(super) struct Known {
    processes: HashMap<u32, Entry>,
    /// The numbers of those whose end was told since the lists were read. A look is ahead of the events, so who was known by
    /// such a number may be the one who has it now, and whose beginning will be told.
    ended: HashSet<u32>,
    /// Children of known processes that were in no pod when they were looked at, and how often to look at each again.
    unplaced: HashMap<u32, u32>,
}

/// How often a child is looked at again. Where the kernel has not come to its cgroup by then, its cgroup tells of it.
const LOOKS: u32 = 64;

#[derive(Debug)]
struct Entry {
    process: Process,
    /// The leader ended before the other threads did. That it did so before the process was known is not told; then the
    /// end of the process is found by its cgroup.
    leader_ended: bool,
}

impl Known {
    /// Replaces everything.
    pub(super) fn replace(&mut self, processes: &[Process]) {
        let entries = processes
            .iter()
            .map(|process| (process.id.pid, Entry { process: process.clone(), leader_ended: false }));
        self.processes = entries.collect();
        self.ended.clear();
    }

    /// To be called when what is known was held against the lists: nothing that lives is missing then.
    pub(super) fn compared(&mut self) {
        self.ended.clear();
    }

    pub(super) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.values().map(|entry| &entry.process)
    }

    pub(super) fn get(&self, pid: u32) -> Option<&Process> {
        self.processes.get(&pid).map(|entry| &entry.process)
    }

    /// Takes one event, in the order in which they happened.
    pub(super) fn take(&mut self, event: Event, look: &mut impl Look, changes: &mut Vec<Change>) {
        match event {
            Event::Fork { parent, child } if child.is_leader() => {
                // The kernel gives a number away when the one before is free; so that process has ended. Unless it is the
                // child that is known: a look is ahead of the events.
                let was_known = self.gone(child.tgid, changes) | self.ended.remove(&child.tgid);
                // A child begins in its parent's cgroup. One that is put into a pod from outside is found by its exec,
                // or by its cgroup.
                let of_a_pod = self.processes.contains_key(&parent);
                if was_known || of_a_pod {
                    self.look_at(child.tgid, look, changes);
                }
                if of_a_pod && !self.processes.contains_key(&child.tgid) {
                    self.unplaced.insert(child.tgid, LOOKS);
                }
            }
            Event::Fork { child, .. } => self.thread_began(child, look, changes),
            Event::Exec(pid) => self.look_at(pid, look, changes),
            Event::Renamed(task, comm) if task.is_leader() => {
                if let Some(entry) = self.processes.get_mut(&task.tgid)
                    && entry.process.comm != comm
                {
                    entry.process.comm = comm;
                    changes.push(Change::Renamed(entry.process.id, comm));
                }
            }
            Event::Exit(task) => self.ended(task, changes),
            Event::Renamed(..) | Event::Answer { .. } | Event::Other => {}
        }
    }

    /// Whether somebody is to be looked at again.
    pub(super) fn has_unplaced(&self) -> bool {
        !self.unplaced.is_empty()
    }

    /// Looks again at those who were in no pod yet.
    pub(super) fn look_again(&mut self, look: &mut impl Look, changes: &mut Vec<Change>) {
        let mut unplaced = std::mem::take(&mut self.unplaced);
        unplaced.retain(|&pid, looks| {
            self.look_at(pid, look, changes);
            *looks -= 1;
            *looks > 0 && !self.processes.contains_key(&pid)
        });
        self.unplaced = unplaced;
    }

    /// Holds what is known of one number against what is there now.
    pub(super) fn look_at(&mut self, pid: u32, look: &mut impl Look, changes: &mut Vec<Change>) {
        let Some(process) = look.process(pid) else {
            self.gone(pid, changes);
            return;
        };
        if self.get(pid) != Some(&process) {
            self.processes.insert(pid, Entry { process: process.clone(), leader_ended: false });
            changes.push(Change::Appeared(process));
        }
    }

    /// Gives threads up that `lives` does not know.
    pub(super) fn retain_threads(&mut self, lives: impl Fn(u32) -> bool, changes: &mut Vec<Change>) {
        for Entry { process, .. } in self.processes.values_mut() {
            let id = process.id;
            process.threads.retain(|&thread| {
                let lives = lives(thread.tid);
                if !lives {
                    changes.push(Change::ThreadGone(id, thread));
                }
                lives
            });
        }
    }

    fn thread_began(&mut self, child: Task, look: &mut impl Look, changes: &mut Vec<Change>) {
        let Some(Entry { process, .. }) = self.processes.get_mut(&child.tgid) else { return };
        let Some(start) = look.thread(process.id, child.tid) else { return };
        let thread = Thread { tid: child.tid, start };
        if !process.threads.contains(&thread) {
            process.threads.retain(|known| known.tid != thread.tid);
            process.threads.push(thread);
            process.threads.sort_unstable();
            changes.push(Change::ThreadAppeared(process.id, thread));
        }
    }

    fn ended(&mut self, task: Task, changes: &mut Vec<Change>) {
        if task.is_leader() {
            self.unplaced.remove(&task.tgid);
        }
        let Some(Entry { process, leader_ended }) = self.processes.get_mut(&task.tgid) else { return };
        if task.is_leader() {
            *leader_ended = true;
        } else if let Some(at) = process.threads.iter().position(|thread| thread.tid == task.tid) {
            changes.push(Change::ThreadGone(process.id, process.threads.remove(at)));
        }
        if *leader_ended && process.threads.is_empty() {
            self.gone(task.tgid, changes);
            self.ended.insert(task.tgid);
        }
    }

    /// Says whether anything was known by that number.
    fn gone(&mut self, pid: u32, changes: &mut Vec<Change>) -> bool {
        let entry = self.processes.remove(&pid);
        let was_known = entry.is_some();
        changes.extend(entry.map(|entry| Change::Gone(entry.process.id)));
        was_known
    }
}

#[cfg(test)]
mod tests;
