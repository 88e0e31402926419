//! What is known after each event, with a node of which the test says what is there.

use super::*;
use crate::pod_index::PodIndex;
use crate::process::Comm;

/// What a look finds.
#[derive(Default)]
struct Node(Vec<Process>);

impl Look for Node {
    fn process(&mut self, pid: u32) -> Option<Process> {
        self.0.iter().find(|process| process.id.pid == pid).cloned()
    }

    fn thread(&mut self, id: ProcessId, tid: u32) -> Option<u64> {
        let process = self.0.iter().find(|process| process.id == id)?;
        process.threads.iter().find(|thread| thread.tid == tid).map(|thread| thread.start)
    }
}

fn process(pid: u32, start: u64, comm: &str, tids: &[u32]) -> Process {
    Process {
        id: ProcessId { pid, start },
        parent: 1,
        comm: Comm::new(comm.as_bytes()),
        pod_uid: "pod".into(),
        container_id: None,
        threads: tids.iter().map(|&tid| Thread { tid, start: u64::from(tid) }).collect(),
    }
}

fn task(tid: u32, tgid: u32) -> Task {
    Task { tid, tgid }
}

/// Takes events after a snapshot with `before`, while a look finds `now`. What is known then is what the changes make of
/// the snapshot.
fn after(before: &[Process], now: &[Process], events: &[Event]) -> Vec<Process> {
    let (mut known, mut changes, mut index) = (Known::default(), Vec::new(), PodIndex::default());
    known.replace(before);
    index.replace(before.to_vec());
    let mut node = Node(now.to_vec());
    for &event in events {
        known.take(event, &mut node, &mut changes);
    }
    for change in changes {
        assert!(index.apply(change.clone()), "a change that changes nothing: {change:?}");
    }
    let mut processes: Vec<Process> = known.processes().cloned().collect();
    processes.sort_unstable_by_key(|process| process.id);
    assert_eq!(index.pod("pod"), processes);
    processes
}

#[test]
fn a_child_of_a_known_process_is_looked_at_and_no_other() {
    let (parent, child) = (process(10, 1, "sh", &[]), process(11, 2, "sh", &[]));
    let now = [parent.clone(), child.clone(), process(12, 3, "elsewhere", &[])];
    let forked = |parent, pid| Event::Fork { parent, child: task(pid, pid) };
    let before = std::slice::from_ref(&parent);
    assert_eq!(after(before, &now, &[forked(10, 11)]), [parent.clone(), child]);
    assert_eq!(after(before, &now, &[forked(99, 12)]), before);
    assert_eq!(after(before, before, &[forked(10, 11)]), before, "it has ended by now");
}

#[test]
fn a_child_that_is_in_no_pod_yet_is_looked_at_until_it_is() {
    let (parent, child) = (process(10, 1, "sh", &[]), process(11, 2, "sh", &[]));
    let forked = |parent| Event::Fork { parent, child: task(11, 11) };
    let mut changes = Vec::new();
    let begun = |events: &[Event]| {
        let mut known = Known::default();
        known.replace(std::slice::from_ref(&parent));
        for &event in events {
            known.take(event, &mut Node::default(), &mut Vec::new());
        }
        known
    };
    let mut known = begun(&[forked(10)]);
    known.look_again(&mut Node::default(), &mut changes);
    assert!(known.has_unplaced() && changes.is_empty());
    known.look_again(&mut Node(vec![child.clone()]), &mut changes);
    assert_eq!(changes, [Change::Appeared(child)]);
    assert!(!known.has_unplaced());

    assert!(!begun(&[forked(10), Event::Exit(task(11, 11))]).has_unplaced(), "it has ended");
    assert!(!begun(&[forked(99)]).has_unplaced(), "nobody's child that matters");
    let mut known = begun(&[forked(10)]);
    for _ in 0..LOOKS {
        known.look_again(&mut Node::default(), &mut changes);
    }
    assert!(!known.has_unplaced(), "it was put elsewhere");
}

#[test]
fn a_number_that_is_given_away_again_is_another_process() {
    let (first, parent) = (process(10, 1, "sh", &[]), process(9, 1, "init", &[]));
    let again = Event::Fork { parent: 9, child: task(10, 10) };
    let before = [parent.clone(), first];
    let now = std::slice::from_ref(&parent);
    // With the same start time too, and in no pod.
    assert_eq!(after(&before, now, &[Event::Exit(task(10, 10)), again]), now);
    assert_eq!(after(&before, now, &[again]), now, "its end was not told");
    let second = process(10, 1, "other", &[]);
    let now = [parent.clone(), second.clone()];
    assert_eq!(after(&before, &now, &[Event::Exit(task(10, 10)), again]), [parent, second]);
}

#[test]
fn events_from_before_a_look_remove_nobody_who_was_seen_in_it() {
    let forked = |pid| Event::Fork { parent: 99, child: task(pid, pid) };
    let exit = |tid, tgid| Event::Exit(task(tid, tgid));
    let here = [process(10, 2, "sh", &[])];
    assert_eq!(after(&here, &here, &[forked(10)]), here, "its parent ended before the snapshot");
    assert_eq!(after(&here, &here, &[exit(10, 10), forked(10)]), here, "the end was of the one before");
    let here = [process(10, 2, "sh", &[11])];
    let events = [exit(10, 10), forked(10), exit(11, 10)];
    assert_eq!(after(&here, &here, &events), [process(10, 2, "sh", &[])], "its leader has not ended");
    // A look for the sake of one event is ahead of those after it too.
    let before = [process(10, 1, "sh", &[])];
    let here = [process(10, 2, "other", &[])];
    assert_eq!(after(&before, &here, &[Event::Exec(10), exit(10, 10), forked(10)]), here);
    assert_eq!(after(&here, &[], &[exit(10, 10), forked(10)]), [], "and who has it now is in no pod");
}

#[test]
fn who_ended_before_the_lists_were_read_is_not_looked_for() {
    let (mut known, mut changes) = (Known::default(), Vec::new());
    known.replace(&[process(10, 1, "sh", &[])]);
    let mut node = Node(vec![process(10, 2, "sh", &[])]);
    known.take(Event::Exit(task(10, 10)), &mut node, &mut changes);
    known.compared();
    known.take(Event::Fork { parent: 99, child: task(10, 10) }, &mut node, &mut changes);
    assert_eq!(changes, [Change::Gone(ProcessId { pid: 10, start: 1 })]);
}

#[test]
fn programs_and_names_are_taken_over() {
    let before = [process(10, 1, "sh", &[])];
    let nginx = process(10, 1, "nginx", &[]);
    let now = std::slice::from_ref(&nginx);
    assert_eq!(after(&before, now, &[Event::Exec(10)]), now);
    assert_eq!(after(&[], now, &[Event::Exec(10)]), now, "put in from outside");
    let renamed = |tid, name: &str| Event::Renamed(task(tid, 10), Comm::new(name.as_bytes()));
    assert_eq!(after(&before, &[], &[renamed(10, "nginx")]), now);
    assert_eq!(after(&before, &[], &[renamed(11, "worker")]), before, "a thread's name is its own");
    assert_eq!(after(&before, &[], &[renamed(10, "x"), renamed(10, "sh")]), before);
    // A thread that starts a program takes the leader's place.
    let threaded = [process(10, 1, "sh", &[11, 12])];
    let events = [Event::Exit(task(12, 10)), Event::Exit(task(10, 10)), Event::Exec(10)];
    assert_eq!(after(&threaded, &before, &events), before);
}

#[test]
fn a_process_lasts_until_its_last_thread_ends() {
    let before = [process(10, 1, "sh", &[11, 12])];
    let exit = |tid| Event::Exit(task(tid, 10));
    assert_eq!(after(&before, &[], &[exit(10), exit(11)]), [process(10, 1, "sh", &[12])]);
    assert_eq!(after(&before, &[], &[exit(10), exit(11), exit(12)]), []);
    assert_eq!(after(&before, &[], &[exit(12), exit(11)]), [process(10, 1, "sh", &[])]);
    assert_eq!(after(&before, &[], &[exit(13), Event::Exit(task(12, 99))]), before);
}

#[test]
fn threads_begin_in_the_process_that_is_known() {
    let before = [process(10, 1, "sh", &[])];
    let now = [process(10, 1, "sh", &[11])];
    let began = Event::Fork { parent: 9, child: task(11, 10) };
    assert_eq!(after(&before, &now, &[began]), now);
    assert_eq!(after(&now, &now, &[began]), now, "it was in the snapshot");
    let later = [process(10, 2, "sh", &[11])];
    assert_eq!(after(&before, &later, &[began]), before, "the number is another process's by now");
}

#[test]
fn threads_that_no_list_knows_are_given_up() {
    let (mut known, mut changes) = (Known::default(), Vec::new());
    known.replace(&[process(10, 1, "sh", &[11, 12])]);
    known.retain_threads(|tid| tid == 12, &mut changes);
    let id = ProcessId { pid: 10, start: 1 };
    assert_eq!(changes, [Change::ThreadGone(id, Thread { tid: 11, start: 11 })]);
    assert_eq!(known.get(10), Some(&process(10, 1, "sh", &[12])));
}
