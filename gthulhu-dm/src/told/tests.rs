//! What comes of what is told, beside another source of which the test says what it sees.

use gthulhu_lib::process::{Comm, Located, ProcessId, ProcessSource, SourceError, Thread};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

fn process(pid: u32, pod: &str, comm: &str) -> Process {
    Process {
        id: ProcessId { pid, start: 5 },
        parent: 1,
        comm: Comm::new(comm.as_bytes()),
        pod_uid: pod.into(),
        container_id: None,
        threads: vec![Thread { tid: pid + 1, start: 6 }],
    }
}

fn all(processes: &[Process]) -> Processes {
    let left_out = LeftOut { refused: 1, unreadable: 2 };
    Processes::all(&Snapshot { processes: processes.to_vec(), left_out })
}

fn governed() -> Governed {
    ["a", "b"].into_iter().collect()
}

/// Sees one process, and tells whenever it is asked to.
struct Local {
    governed: Governed,
    bell: OwnedFd,
}

impl ProcessSource for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn snapshot(&mut self, governed: &Governed) -> Result<Snapshot, SourceError> {
        self.governed = governed.clone();
        let processes = vec![process(1, "a", "local")];
        Ok(Snapshot { processes, left_out: LeftOut::default() })
    }

    fn changes(&mut self) -> Result<Changes, SourceError> {
        Ok(Changes::List(vec![Change::Gone(ProcessId { pid: 1, start: 5 })]))
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        Ok(Snapshot::default())
    }

    fn locate(&mut self, _tid: u32) -> Result<Located, SourceError> {
        Ok(Located::NotFound)
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.bell.as_fd())
    }
}

fn fed() -> (Told, Fed) {
    let told = Told::new().unwrap();
    // It has always something to tell.
    let bell = eventfd(1, EventfdFlags::CLOEXEC).unwrap();
    let local = Local { governed: Governed::default(), bell };
    (told.clone(), Fed::new(told, Box::new(local)).unwrap())
}

fn pids(fed: &mut Fed) -> Vec<u32> {
    let snapshot = fed.snapshot(&governed()).unwrap();
    snapshot.processes.iter().map(|process| process.id.pid).collect()
}

fn list(fed: &mut Fed) -> Vec<Change> {
    match fed.changes().unwrap() {
        Changes::List(changes) => changes,
        Changes::Unknown => panic!("unknown"),
    }
}

fn is_woken(fed: &Fed) -> bool {
    let fd = fed.wake_fd().unwrap();
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&Timespec::default())).unwrap() == 1
}

#[test]
fn a_monitor_counts_while_it_is_there_and_has_told_of_all() {
    let (told, mut fed) = fed();
    assert_eq!((pids(&mut fed), fed.name()), (vec![1], "local"));
    assert!(is_woken(&fed));
    let teller = told.teller();
    let mut first = all(&[process(10, "a", "x"), process(20, "c", "x")]);
    first.more = true;
    teller.tell(first);
    assert_eq!(list(&mut fed).len(), 1, "still the other one's");
    let rest = Processes { news: all(&[process(30, "b", "y")]).news, ..Processes::default() };
    teller.tell(rest);
    assert_eq!(fed.changes().unwrap(), Changes::Unknown, "a snapshot settles it");
    assert_eq!((pids(&mut fed), fed.name()), (vec![10, 30], "monitor"));
    assert!(!is_woken(&fed), "the other one is not heard");
    let snapshot = fed.snapshot(&governed()).unwrap();
    assert_eq!(snapshot.left_out, LeftOut { refused: 1, unreadable: 2 });
    let survey = fed.survey().unwrap().processes;
    assert!(survey.len() == 3 && survey.iter().all(|process| process.threads.is_empty()));

    drop(teller);
    assert!(is_woken(&fed));
    assert_eq!(fed.events().unwrap(), Changes::Unknown);
    assert_eq!((pids(&mut fed), fed.name()), (vec![1], "local"));
    assert!(is_woken(&fed), "the other one is heard again");
}

#[test]
fn changes_are_of_the_pods_that_are_asked_for() {
    let (told, mut fed) = fed();
    let teller = told.teller();
    teller.tell(all(&[process(10, "a", "x"), process(20, "c", "x")]));
    assert_eq!(pids(&mut fed), [10]);
    let id = |pid| ProcessId { pid, start: 5 };
    let thread = Thread { tid: 12, start: 7 };
    let moved_in = Change::Appeared(process(20, "b", "x"));
    let here = [
        Change::Renamed(id(10), Comm::new(b"y")),
        Change::ThreadAppeared(id(10), thread),
        moved_in.clone(),
        Change::ThreadGone(id(10), thread),
    ];
    let mut happened = here.to_vec();
    happened.insert(1, Change::Renamed(id(20), Comm::new(b"z")));
    teller.tell(Processes::changes(&happened));
    assert!(is_woken(&fed));
    assert_eq!(list(&mut fed), here);
    assert!(!is_woken(&fed));
    teller.tell(Processes::changes(&[Change::Appeared(process(10, "c", "y")), Change::Gone(id(20))]));
    assert_eq!(list(&mut fed), [Change::Gone(id(10)), Change::Gone(id(20))], "moved out, and ended");
    teller.tell(Processes::changes(&[Change::Gone(id(10)), Change::Gone(id(99))]));
    assert_eq!(list(&mut fed), []);
}

#[test]
fn who_has_told_of_all_last_counts_and_others_are_passed_over() {
    let (told, mut fed) = fed();
    let [first, second] = [told.teller(), told.teller()];
    first.tell(all(&[process(10, "a", "x")]));
    second.tell(Processes::changes(&[Change::Appeared(process(66, "a", "x"))]));
    assert_eq!(pids(&mut fed), [10]);
    second.tell(all(&[process(20, "a", "x")]));
    assert_eq!(fed.changes().unwrap(), Changes::Unknown);
    assert_eq!(pids(&mut fed), [20]);
    first.tell(Processes::changes(&[Change::Appeared(process(66, "a", "x"))]));
    drop(first);
    assert_eq!((list(&mut fed), fed.name()), (vec![], "monitor"));
    let mut half = all(&[process(30, "a", "x")]);
    half.more = true;
    second.tell(half);
    assert_eq!(list(&mut fed), [], "what was told before holds until all are told");
    drop(second);
    assert_eq!((pids(&mut fed), fed.name()), (vec![1], "local"));
}

#[test]
fn more_changes_than_wait_cost_a_snapshot() {
    let (told, mut fed) = fed();
    let teller = told.teller();
    teller.tell(all(&[]));
    pids(&mut fed);
    let process = process(10, "a", "x");
    let both = [Change::Appeared(process.clone()), Change::Gone(process.id)];
    let mut storm: Vec<Change> = both.iter().cloned().cycle().take(WAITING).collect();
    storm.push(both[0].clone());
    teller.tell(Processes::changes(&storm));
    assert_eq!(fed.changes().unwrap(), Changes::Unknown);
    assert_eq!(pids(&mut fed), [10]);
    teller.tell(Processes::changes(&both[1..]));
    assert_eq!(list(&mut fed), both[1..]);
}
