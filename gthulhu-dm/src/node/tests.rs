//! The thread, with a source of processes that the test holds in its hand.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::mpsc::{self, Receiver, Sender},
};

use gthulhu_lib::{
    engine::EngineOptions,
    intent::Limits,
    process::{
        Change, Changes, Comm, Governed, Located, Process, ProcessId, ProcessSource, Snapshot, SourceError,
    },
    wire::IntentBody,
};
use rustix::event::{EventfdFlags, eventfd};
use tempfile::TempDir;

use super::*;

/// Says when a scan begins, and waits for what to do with it.
struct Puppet {
    begun: Sender<()>,
    go: Receiver<Go>,
}

enum Go {
    Find,
    Fail,
    Panic,
}

impl ProcessSource for Puppet {
    fn name(&self) -> &'static str {
        "puppet"
    }

    fn snapshot(&mut self, _: &Governed) -> Result<Snapshot, SourceError> {
        // The test may be over while a last scan begins.
        let _ = self.begun.send(());
        match self.go.recv() {
            // Unlike `panic!`, without a word on the way.
            Ok(Go::Panic) => std::panic::resume_unwind(Box::new("as the test wants")),
            Ok(Go::Fail) => Err(SourceError::Unreadable {
                path: "/proc".into(),
                source: std::io::ErrorKind::NotFound.into(),
            }),
            Ok(Go::Find) | Err(_) => Ok(Snapshot::default()),
        }
    }

    fn changes(&mut self) -> Result<Changes, SourceError> {
        Ok(Changes::Unknown)
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        self.snapshot(&Governed::default())
    }

    fn locate(&mut self, _: u32) -> Result<Located, SourceError> {
        Ok(Located::NotFound)
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Tells of one process when it is rung for, and finds none otherwise.
struct Ringing {
    bell: Arc<OwnedFd>,
    process: Process,
}

impl ProcessSource for Ringing {
    fn name(&self) -> &'static str {
        "ringing"
    }

    fn snapshot(&mut self, _: &Governed) -> Result<Snapshot, SourceError> {
        Ok(Snapshot::default())
    }

    fn changes(&mut self) -> Result<Changes, SourceError> {
        Ok(Changes::List(Vec::new()))
    }

    fn events(&mut self) -> Result<Changes, SourceError> {
        rustix::io::read(&self.bell, &mut [0; 8]).unwrap();
        Ok(Changes::List(vec![Change::Appeared(self.process.clone())]))
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        Ok(Snapshot::default())
    }

    fn locate(&mut self, _: u32) -> Result<Located, SourceError> {
        Ok(Located::NotFound)
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.bell.as_fd())
    }
}

/// A node whose scans begin in `begun` and go on by `go`.
struct Held {
    node: Node,
    ended: oneshot::Receiver<()>,
    begun: Receiver<()>,
    go: Sender<Go>,
    _dir: TempDir,
}

fn held(poll: Duration, intents: IntentSet) -> Held {
    held_fresh(poll, Duration::ZERO, intents)
}

/// As `held`, answering rows from the last look for this long.
fn held_fresh(poll: Duration, fresh: Duration, intents: IntentSet) -> Held {
    let dir = TempDir::new().unwrap();
    let (file, _, _) = StateFile::open(dir.path()).unwrap();
    let (begun_sender, begun) = mpsc::channel();
    let (go, go_receiver) = mpsc::channel();
    let puppet = Puppet { begun: begun_sender, go: go_receiver };
    let engine = Engine::new(Box::new(puppet), EngineOptions { pid_max: 64 });
    let state = State { intents, ..State::default() };
    let metrics = Metrics::new("node-1", true).unwrap();
    let options = Options { poll, fresh, accept_unnumbered: false };
    let (node, ended) = Node::start(engine, file, state, metrics, options).unwrap();
    Held { node, ended, begun, go, _dir: dir }
}

fn one_intent() -> IntentSet {
    let body = IntentBody { pod_id: "u1".to_owned(), ..IntentBody::default() };
    IntentSet::check(vec![body], &Limits::default()).unwrap()
}

const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn callers_who_wait_together_share_one_look() {
    let held = held(NEVER, one_intent());
    held.begun.recv().unwrap();
    // The thread is in its first scan: whoever asks now waits.
    let callers: Vec<_> = (0..10)
        .map(|number| {
            let node = held.node.clone();
            tokio::spawn(async move {
                if number % 2 == 0 { node.rows().await.map(drop) } else { node.pods().await.map(drop) }
            })
        })
        .collect();
    tokio::task::yield_now().await;
    held.go.send(Go::Find).unwrap();
    // One at the governed pods for those who want rows, one at all pods for the others.
    for _ in 0..2 {
        held.begun.recv().unwrap();
        held.go.send(Go::Find).unwrap();
    }
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert!(held.begun.try_recv().is_err(), "another look began");
}

#[tokio::test]
async fn what_the_source_tells_is_in_the_table_without_a_scan() {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap());
    let process = Process {
        id: ProcessId { pid: 42, start: 7 },
        parent: 1,
        comm: Comm::new(b"nginx"),
        pod_uid: "u1".into(),
        container_id: None,
        threads: Vec::new(),
    };
    let source = Ringing { bell: Arc::clone(&bell), process };
    let engine = Engine::new(Box::new(source), EngineOptions { pid_max: 1000 });
    let table = engine.table();
    let dir = TempDir::new().unwrap();
    let (file, _, _) = StateFile::open(dir.path()).unwrap();
    let state = State { intents: one_intent(), ..State::default() };
    let metrics = Metrics::new("m", true).unwrap();
    let options = Options { poll: NEVER, fresh: NEVER, accept_unnumbered: false };
    let (node, _ended) = Node::start(engine, file, state, metrics, options).unwrap();
    assert_eq!(node.rows().await.unwrap().all().len(), 0);
    rustix::io::write(&bell, &1_u64.to_ne_bytes()).unwrap();
    while table.lookup_task(42, 7).is_none() {
        tokio::task::yield_now().await;
    }
    while node.rows().await.unwrap().all().is_empty() {}
}

#[tokio::test]
async fn fresh_rows_are_answered_without_a_scan_and_never_past_a_change() {
    let held = held_fresh(NEVER, NEVER, one_intent());
    let scans = |count| (0..count).for_each(|_| held.begun.recv().unwrap());
    for _ in 0..2 {
        held.go.send(Go::Find).unwrap();
    }
    for _ in 0..3 {
        held.node.rows().await.unwrap();
    }
    scans(2); // the one at the start and the one of the first caller
    assert!(held.begun.try_recv().is_err(), "fresh rows cost a scan");

    // A push looks before and after it, and whoever asks then gets a look of his own.
    for _ in 0..3 {
        held.go.send(Go::Find).unwrap();
    }
    held.node.push(IntentSet::default(), None).await.unwrap();
    held.node.rows().await.unwrap();
    scans(3);

    // A failed look is not covered up.
    held.go.send(Go::Fail).unwrap();
    assert!(held.node.pods().await.is_err());
    held.go.send(Go::Fail).unwrap();
    assert!(held.node.rows().await.is_err());
}

#[tokio::test]
async fn a_node_with_intents_looks_unasked_and_goes_on_after_a_failure() {
    let held = held(Duration::from_millis(1), one_intent());
    for go in [Go::Find, Go::Fail, Go::Fail, Go::Find] {
        held.begun.recv().unwrap();
        held.go.send(go).unwrap();
    }
    held.begun.recv().unwrap();
    assert!(held.node.checks().iter().all(|check| check.ok), "it has recovered");
}

#[tokio::test]
async fn a_push_is_refused_while_processes_cannot_be_seen() {
    let held = held(NEVER, IntentSet::default());
    held.go.send(Go::Fail).unwrap();
    held.go.send(Go::Fail).unwrap();
    let refused = held.node.push(one_intent(), None).await;
    assert!(matches!(refused, Err(NodeError::Scan(_))), "{refused:?}");
    let empty = IntentSet::default().digest();
    assert_eq!(held.node.holding().await.unwrap().digest, empty, "nothing was stored");
}

#[tokio::test]
async fn the_end_of_the_thread_is_told_to_everybody() {
    let held = held(NEVER, IntentSet::default());
    held.go.send(Go::Panic).unwrap();
    assert!(held.ended.await.is_err(), "the sender was dropped by the panic");
    assert!(matches!(held.node.holding().await, Err(NodeError::Ended)));
}
