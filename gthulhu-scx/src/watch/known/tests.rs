//! What is known after each report, and that the changes say the same to whoever follows them.

use std::collections::BTreeMap;

use gthulhu_lib::process::cgroup::{OwnDepth, Roots};

use super::*;

const A: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const B: &str = "31e4e721-a5a0-4a3c-8a1b-93d3d1c4f0aa";
/// Ids of cgroups: of two pods, of one that nobody governs, and of none.
const IN_A: u64 = u64::MAX - 1;
const IN_B: u64 = u64::MAX - 2;
const IN_C: u64 = u64::MAX - 3;
const OUTSIDE: u64 = u64::MAX - 4;

fn tree() -> Tree {
    let dir = tempfile::tempdir().unwrap();
    let mut tree = Tree::new(dir.path().to_owned(), Roots::new(None, OwnDepth::default()).unwrap());
    tree.read().unwrap();
    let root = std::os::unix::fs::MetadataExt::ino(&dir.path().metadata().unwrap());
    let kubepods = u64::MAX - 9;
    tree.made(kubepods, root, b"kubepods");
    tree.made(OUTSIDE, root, b"system.slice");
    for (id, uid) in [(IN_A, A), (IN_B, B), (IN_C, "8c1f9f0e-52a4-4a57-9d67-0f6b8c0f7a11")] {
        tree.made(id, kubepods, format!("pod{uid}").as_bytes());
    }
    tree
}

/// A thread of process `tgid`, which began at that tick.
fn task(tid: u32, tgid: u32, start: u64, cgroup: u64) -> Task {
    let start_ns = start * TICK + 1;
    Task {
        tid,
        tgid,
        start_ns: if tid == tgid { start_ns } else { start_ns + u64::from(tid) * TICK },
        leader_start_ns: start_ns,
        cgroup,
        parent: 1,
        comm: Comm::new(b"sh"),
        leader_ended: false,
        is_last: false,
    }
}

fn leader(pid: u32, cgroup: u64) -> Task {
    task(pid, pid, 5, cgroup)
}

/// What is known of processes of pods A and B, as `pid start comm pod [tids]`.
struct Follower {
    tree: Tree,
    scope: Scope,
    known: Known,
    followed: BTreeMap<u32, Process>,
}

impl Follower {
    fn new(listed: &[Task]) -> Self {
        let (tree, scope) = (tree(), Scope::Of([A, B].into_iter().collect()));
        let known = Known::listed(listed.iter().copied());
        let snapshot = known.snapshot(View { tree: &tree, scope: &scope });
        let followed = snapshot.processes.into_iter().map(|process| (process.id.pid, process)).collect();
        Self { tree, scope, known, followed }
    }

    /// Takes a report, and the changes as whoever follows does. The changes that there were.
    fn take(&mut self, deed: Deed, task: Task) -> usize {
        let mut changes = Vec::new();
        self.known.take(deed, &task, View { tree: &self.tree, scope: &self.scope }, &mut changes);
        let count = changes.len();
        for change in changes {
            self.follow(change);
        }
        let snapshot = self.known.snapshot(View { tree: &self.tree, scope: &self.scope });
        let known: BTreeMap<u32, Process> =
            snapshot.processes.into_iter().map(|process| (process.id.pid, process)).collect();
        assert_eq!(self.followed, known, "after {deed:?} of {task:?}");
        count
    }

    fn follow(&mut self, change: Change) {
        match change {
            Change::Appeared(process) => {
                self.followed.insert(process.id.pid, process);
            }
            Change::Renamed(id, comm) => self.of(id).comm = comm,
            Change::ThreadAppeared(id, thread) => {
                let threads = &mut self.of(id).threads;
                threads.retain(|known| known.tid != thread.tid);
                threads.push(thread);
                threads.sort_unstable();
            }
            Change::ThreadGone(id, thread) => self.of(id).threads.retain(|known| *known != thread),
            Change::Gone(id) => {
                self.of(id);
                self.followed.remove(&id.pid);
            }
        }
    }

    fn of(&mut self, id: ProcessId) -> &mut Process {
        self.followed.get_mut(&id.pid).filter(|process| process.id == id).expect("it is of one that is known")
    }

    fn says(&self) -> Vec<String> {
        let text = |process: &Process| {
            let tids: Vec<u32> = process.threads.iter().map(|thread| thread.tid).collect();
            let pod = if *process.pod_uid == *A { "a" } else { "b" };
            format!("{} {} {} {pod} {tids:?}", process.id.pid, process.id.start, process.comm)
        };
        self.followed.values().map(text).collect()
    }
}

#[test]
fn a_listing_has_the_processes_of_the_pods_with_their_threads() {
    let mut late = task(13, 12, 5, IN_B);
    late.leader_ended = true;
    let listed =
        [leader(10, IN_A), task(11, 10, 5, IN_A), late, leader(20, IN_C), leader(30, OUTSIDE), leader(40, 7)];
    let mut follower = Follower::new(&listed);
    assert_eq!(follower.says(), ["10 5 sh a [11]", "12 5 sh b [13]"]);
    let all = follower.known.snapshot(View { tree: &follower.tree, scope: &Scope::AllPods });
    assert_eq!((all.processes.len(), all.left_out.unreadable), (3, 1));
    assert!(follower.known.is_lost_in(&follower.tree), "40");
    assert_eq!(follower.take(Deed::Ended, task(13, 12, 5, IN_B)), 2, "its leader had ended");
    assert_eq!(follower.says(), ["10 5 sh a [11]"]);
    let located = |tid| follower.known.locate(tid, &follower.tree);
    assert!(matches!(located(11), Located::InPod(process) if process.id.pid == 10));
    assert!(matches!(located(20), Located::InPod(process) if process.id.pid == 20));
    assert_eq!([located(30), located(99)], [Located::Elsewhere, Located::NotFound]);
}

#[test]
fn processes_begin_get_names_and_programs_and_end() {
    let mut follower = Follower::new(&[]);
    assert_eq!(follower.take(Deed::Begun, leader(10, IN_A)), 1);
    assert_eq!(follower.take(Deed::Begun, leader(20, IN_C)), 0);
    let named = |pid, name: &[u8]| Task { comm: Comm::new(name), ..leader(pid, IN_A) };
    assert_eq!(follower.take(Deed::Named, named(10, b"nginx")), 1);
    assert_eq!(follower.take(Deed::Named, named(10, b"nginx")), 0, "it had that name");
    follower.take(Deed::Begun, task(11, 10, 5, IN_A));
    follower.take(Deed::Begun, task(12, 10, 5, IN_A));
    assert_eq!(follower.says(), ["10 5 nginx a [11, 12]"]);
    // A thread that starts a program takes the leader's place.
    for tid in [12, 10] {
        follower.take(Deed::Ended, task(tid, 10, 5, IN_A));
    }
    assert_eq!(follower.says(), ["10 5 nginx a [11]"]);
    follower.take(Deed::Program, named(10, b"worker"));
    assert_eq!(follower.says(), ["10 5 worker a []"]);
    assert_eq!(follower.take(Deed::Ended, leader(10, IN_A)), 1);
    assert_eq!(follower.take(Deed::Ended, leader(20, IN_C)), 0);
    assert_eq!(follower.says(), [""; 0]);
}

#[test]
fn a_process_lasts_until_its_last_thread_ends() {
    let listed = [leader(10, IN_A), task(11, 10, 5, IN_A), task(12, 10, 5, IN_A)];
    let mut follower = Follower::new(&listed);
    follower.take(Deed::Ended, leader(10, IN_A));
    follower.take(Deed::Ended, task(11, 10, 5, IN_A));
    assert_eq!(follower.says(), ["10 5 sh a [12]"]);
    follower.take(Deed::Ended, task(12, 10, 5, IN_A));
    assert_eq!(follower.says(), [""; 0]);
    // Two end at once: the one that is told of first may be the last.
    let mut follower = Follower::new(&listed);
    follower.take(Deed::Ended, Task { is_last: true, ..task(12, 10, 5, IN_A) });
    assert_eq!(follower.says(), [""; 0]);
    assert_eq!(follower.take(Deed::Ended, leader(10, IN_A)), 0);
}

#[test]
fn a_number_that_is_given_away_again_is_another_process() {
    let mut follower = Follower::new(&[leader(10, IN_A), task(11, 10, 5, IN_A)]);
    // In the same clock tick, and nothing was told of the first one's end.
    let second = |task: Task| Task { leader_start_ns: task.leader_start_ns + 1, ..task };
    let begun = Task { start_ns: leader(10, 0).start_ns + 1, ..second(leader(10, OUTSIDE)) };
    assert_eq!(follower.take(Deed::Begun, begun), 1);
    assert_eq!(follower.says(), [""; 0]);
    // What is told of the first one, late, is not the second one's.
    follower.take(Deed::Moved, Task { cgroup: IN_A, ..begun });
    assert_eq!(follower.says(), ["10 5 sh a []"]);
    for (deed, task) in [
        (Deed::Begun, task(12, 10, 5, IN_A)),
        (Deed::Named, Task { comm: Comm::new(b"other"), ..leader(10, IN_A) }),
        (Deed::Moved, leader(10, IN_B)),
        (Deed::Ended, leader(10, IN_A)),
    ] {
        assert_eq!(follower.take(deed, task), 0, "{deed:?}");
    }
    assert_eq!(follower.take(Deed::Ended, begun), 1);
}

#[test]
fn a_move_is_told_by_the_pods_that_it_leads_from_and_to() {
    let mut follower = Follower::new(&[leader(10, IN_A), task(11, 10, 5, IN_A)]);
    for (to, changes, says) in [
        (IN_A, 0, "10 5 sh a [11]"),
        (IN_B, 1, "10 5 sh b [11]"),
        (IN_C, 1, ""),
        (OUTSIDE, 0, ""),
        (7, 0, ""),
        (IN_A, 1, "10 5 sh a [11]"),
    ] {
        assert_eq!(follower.take(Deed::Moved, leader(10, to)), changes, "to {to}");
        let expected: Vec<&str> = Some(says).filter(|says| !says.is_empty()).into_iter().collect();
        assert_eq!(follower.says(), expected, "to {to}");
    }
}

#[test]
fn what_was_listed_already_is_told_again_without_harm() {
    let listed = [Task { comm: Comm::new(b"worker"), ..leader(10, IN_A) }, task(11, 10, 5, IN_A)];
    let mut follower = Follower::new(&listed);
    assert_eq!(follower.take(Deed::Begun, leader(10, IN_A)), 0);
    assert_eq!(follower.take(Deed::Begun, task(11, 10, 5, IN_A)), 0);
    assert_eq!(follower.says(), ["10 5 worker a [11]"]);
    assert_eq!(follower.take(Deed::Ended, task(11, 10, 5, IN_A)), 1);
}
