//! Which processes each pod has, kept up to date by whole snapshots or by single changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::process::{Change, Process, ProcessId};

/// The processes of pods. Both ways of feeding it lead to the same content, and each says whether it changed
/// anything: on a quiet node nothing has to be resolved again.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PodIndex {
    /// Processes by pod uid; each list by pid, none empty.
    pods: BTreeMap<Arc<str>, Vec<Process>>,
    pod_of: HashMap<u32, Arc<str>>,
}

impl PodIndex {
    /// Takes over a snapshot. Of two processes with one number the later one is believed.
    pub fn replace(&mut self, mut processes: Vec<Process>) -> bool {
        processes.sort_unstable_by_key(|process| process.id);
        let mut new = Self::default();
        for process in processes {
            new.insert(process);
        }
        let changed = *self != new;
        *self = new;
        changed
    }

    /// Takes over one change. What does not fit to what is known (events may come late) changes nothing.
    pub fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Appeared(process) => self.insert(process),
            Change::Renamed(id, comm) => self.edit(id, |process| {
                let changed = process.comm != comm;
                process.comm = comm;
                changed
            }),
            Change::ThreadAppeared(id, thread) => self.edit(id, |process| {
                // A tid that is known already was given to another thread by now.
                process.threads.retain(|known| known.tid != thread.tid || *known == thread);
                let place = process.threads.binary_search(&thread);
                if let Err(at) = place {
                    process.threads.insert(at, thread);
                }
                place.is_err()
            }),
            Change::ThreadGone(id, thread) => self.edit(id, |process| {
                let before = process.threads.len();
                process.threads.retain(|known| *known != thread);
                process.threads.len() != before
            }),
            Change::Gone(id) => {
                self.process(id.pid).is_some_and(|known| known.id == id) && self.remove(id.pid)
            }
        }
    }

    /// The process with this number.
    pub fn process(&self, pid: u32) -> Option<&Process> {
        let processes = self.pod(self.pod_of.get(&pid)?);
        processes.binary_search_by_key(&pid, |process| process.id.pid).ok().map(|at| &processes[at])
    }

    /// The processes of a pod (uid in lower case), by pid.
    pub fn pod(&self, uid: &str) -> &[Process] {
        self.pods.get(uid).map_or(&[], Vec::as_slice)
    }

    /// All pods that have processes, by uid, each with its processes by pid.
    pub fn pods(&self) -> impl ExactSizeIterator<Item = (&str, &[Process])> {
        self.pods.iter().map(|(uid, processes)| (&**uid, processes.as_slice()))
    }

    /// How many processes there are.
    pub fn process_count(&self) -> usize {
        self.pod_of.len()
    }

    fn insert(&mut self, mut process: Process) -> bool {
        process.threads.sort_unstable();
        if self.process(process.id.pid) == Some(&process) {
            return false;
        }
        self.remove(process.id.pid);
        self.pod_of.insert(process.id.pid, Arc::clone(&process.pod_uid));
        let processes = self.pods.entry(Arc::clone(&process.pod_uid)).or_default();
        let at = processes.partition_point(|other| other.id.pid < process.id.pid);
        processes.insert(at, process);
        true
    }

    fn remove(&mut self, pid: u32) -> bool {
        let Some(uid) = self.pod_of.remove(&pid) else { return false };
        if let Some(processes) = self.pods.get_mut(&uid) {
            processes.retain(|process| process.id.pid != pid);
            if processes.is_empty() {
                self.pods.remove(&uid);
            }
        }
        true
    }

    fn edit(&mut self, id: ProcessId, edit: impl FnOnce(&mut Process) -> bool) -> bool {
        let Some(processes) = self.pod_of.get(&id.pid).and_then(|uid| self.pods.get_mut(uid)) else {
            return false;
        };
        processes.iter_mut().find(|process| process.id == id).is_some_and(edit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Comm, Thread};

    fn process(pid: u32, start: u64, pod: &str, comm: &str) -> Process {
        Process {
            id: ProcessId { pid, start },
            parent: 1,
            comm: Comm::new(comm.as_bytes()),
            pod_uid: pod.into(),
            container_id: None,
            threads: Vec::new(),
        }
    }

    fn with_threads(mut process: Process, tids: &[u32]) -> Process {
        process.threads = tids.iter().map(|&tid| Thread { tid, start: 1 }).collect();
        process
    }

    fn index(processes: &[Process]) -> PodIndex {
        let mut index = PodIndex::default();
        index.replace(processes.to_vec());
        index
    }

    #[test]
    fn a_snapshot_replaces_everything_and_says_whether_it_differs() {
        let mut index = PodIndex::default();
        assert!(!index.replace(Vec::new()));
        assert!(index.replace(vec![
            process(9, 1, "b", "x"),
            process(7, 1, "a", "x"),
            process(3, 1, "b", "x")
        ]));
        assert!(!index.replace(vec![
            process(3, 1, "b", "x"),
            process(9, 1, "b", "x"),
            process(7, 1, "a", "x")
        ]));
        let listed: Vec<(&str, Vec<u32>)> =
            index.pods().map(|(uid, list)| (uid, list.iter().map(|p| p.id.pid).collect())).collect();
        assert_eq!(listed, [("a", vec![7]), ("b", vec![3, 9])]);
        assert_eq!((index.process_count(), index.process(9).unwrap().id.start), (3, 1));
        assert!(index.replace(vec![process(7, 2, "a", "x"), process(7, 1, "b", "x")]));
        assert_eq!(
            index.pods().map(|(uid, _)| uid).collect::<Vec<_>>(),
            ["a"],
            "the later of two is believed"
        );
        assert!(index.pod("b").is_empty() && index.process(9).is_none());
    }

    #[test]
    fn changes_lead_to_what_a_snapshot_would_show() {
        let id = ProcessId { pid: 7, start: 1 };
        let late = ProcessId { pid: 7, start: 0 };
        let thread = |tid, start| Thread { tid, start };
        let seven = process(7, 1, "a", "x");
        let renamed = process(7, 1, "a", "y");
        // What happens to a pod with one process 7, whether that changes anything, and what is there then.
        let cases: Vec<(&str, Change, bool, Vec<Process>)> = vec![
            ("known", Change::Appeared(seven.clone()), false, vec![seven.clone()]),
            (
                "fork",
                Change::Appeared(process(8, 2, "a", "x")),
                true,
                vec![seven.clone(), process(8, 2, "a", "x")],
            ),
            ("reuse", Change::Appeared(process(7, 5, "b", "x")), true, vec![process(7, 5, "b", "x")]),
            ("move", Change::Appeared(process(7, 1, "b", "x")), true, vec![process(7, 1, "b", "x")]),
            ("exec", Change::Renamed(id, Comm::new(b"y")), true, vec![renamed]),
            ("same name", Change::Renamed(id, Comm::new(b"x")), false, vec![seven.clone()]),
            ("late name", Change::Renamed(late, Comm::new(b"y")), false, vec![seven.clone()]),
            (
                "unknown name",
                Change::Renamed(ProcessId { pid: 6, start: 1 }, Comm::new(b"y")),
                false,
                vec![seven.clone()],
            ),
            (
                "thread",
                Change::ThreadAppeared(id, thread(9, 1)),
                true,
                vec![with_threads(seven.clone(), &[9])],
            ),
            ("late thread", Change::ThreadAppeared(late, thread(9, 1)), false, vec![seven.clone()]),
            ("no thread", Change::ThreadGone(id, thread(9, 1)), false, vec![seven.clone()]),
            ("late exit", Change::Gone(late), false, vec![seven.clone()]),
            ("exit", Change::Gone(id), true, vec![]),
        ];
        for (name, change, changes, expected) in cases {
            let mut changed = index(std::slice::from_ref(&seven));
            assert_eq!(changed.apply(change), changes, "{name}");
            assert_eq!(changed, index(&expected), "{name}");
        }
    }

    #[test]
    fn threads_come_and_go_and_their_numbers_are_used_again() {
        let id = ProcessId { pid: 7, start: 1 };
        let mut changed = index(&[with_threads(process(7, 1, "a", "x"), &[9])]);
        let thread = |tid, start| Thread { tid, start };
        assert!(!changed.apply(Change::ThreadAppeared(id, thread(9, 1))));
        assert!(changed.apply(Change::ThreadAppeared(id, thread(8, 1))));
        assert!(changed.apply(Change::ThreadAppeared(id, thread(9, 2))));
        assert_eq!(changed.process(7).unwrap().threads, [thread(8, 1), thread(9, 2)]);
        assert!(!changed.apply(Change::ThreadGone(id, thread(9, 1))), "an earlier thread's end comes late");
        assert!(changed.apply(Change::ThreadGone(id, thread(9, 2))));
        assert_eq!(changed, index(&[with_threads(process(7, 1, "a", "x"), &[8])]));
    }
}
