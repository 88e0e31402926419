//! The client against decision makers that the tests play, on real sockets.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gthulhu_lib::wire::feed::codec::framed;
use gthulhu_lib::wire::feed::{Bye, Explain, Frame, Hello, IntentsPart, SchedulerState};
use tempfile::TempDir;

use super::*;

/// Far beyond what anything here takes; a test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place for the socket, and what the client delivers.
struct Rig {
    dir: TempDir,
    inputs: Receiver<FeedInput>,
    handle: FeedHandle,
}

impl Rig {
    fn new() -> Rig {
        let dir = TempDir::new().unwrap();
        let (sender, inputs) = channel();
        let deliver = move |input| sender.send(input).is_ok();
        let handle = connect(dir.path().join("feed.sock"), Role::Scheduler, deliver).unwrap();
        Rig { dir, inputs, handle }
    }

    fn listen(&self) -> UnixListener {
        let path = self.dir.path().join("feed.sock");
        let _ = std::fs::remove_file(&path);
        UnixListener::bind(path).unwrap()
    }

    fn input(&self) -> FeedInput {
        self.inputs.recv_timeout(PATIENCE).unwrap()
    }
}

/// The other end of a connection.
struct Peer(UnixStream);

impl Peer {
    fn accept(listener: &UnixListener) -> Peer {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Peer(stream)
    }

    /// Accepts and greets.
    fn greet(listener: &UnixListener) -> Peer {
        let mut peer = Peer::accept(listener);
        peer.say(&Frame::Hello(Hello::new(Role::DecisionMaker, "9.9.9")));
        assert_eq!(peer.hear(), Frame::Hello(Hello::new(Role::Scheduler, env!("CARGO_PKG_VERSION"))));
        peer
    }

    fn say(&mut self, frame: &Frame) {
        self.0.write_all(&framed(&serde_json::to_vec(frame).unwrap()).unwrap()).unwrap();
    }

    fn hear(&mut self) -> Frame {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut text = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
        self.0.read_exact(&mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Whether the client has closed the connection without another word.
    fn is_left(&mut self) -> bool {
        // A client that closes with something unread resets the connection.
        !matches!(self.0.read(&mut [0]), Ok(1..))
    }
}

fn part(generation: u64, part: u32, parts: u32) -> Frame {
    let intent = IntentBody { pod_id: format!("pod-{part}"), ..IntentBody::default() };
    Frame::Intents(IntentsPart {
        epoch: 1,
        generation,
        part,
        parts,
        intents: vec![intent],
        muted: Vec::new(),
    })
}

fn up() -> FeedInput {
    FeedInput::Up { version: "9.9.9".to_owned() }
}

fn counters(nr_queued: u64) -> Counters {
    let mut counters = Counters { state: SchedulerState::Attached, ..Counters::default() };
    counters.metrics.nr_queued = nr_queued;
    counters
}

#[test]
fn a_set_arrives_only_when_all_its_parts_have() {
    let rig = Rig::new();
    let listener = rig.listen();
    let mut peer = Peer::greet(&listener);
    assert_eq!(rig.input(), up());
    peer.say(&part(7, 1, 2));
    peer.say(&Frame::Explain(Explain { id: 5, pid: 42 }));
    assert_eq!(rig.input(), FeedInput::Explain { id: 5, pid: 42 }, "the set is not complete");
    peer.say(&part(7, 2, 2));
    let FeedInput::Intents { epoch, generation, set, .. } = rig.input() else { panic!() };
    let pods: Vec<&str> = set.iter().map(|intent| intent.pod_id.as_str()).collect();
    assert_eq!((epoch, generation, pods), (1, 7, vec!["pod-1", "pod-2"]));
}

#[test]
fn who_tells_of_processes_hears_when_they_are_on_their_way() {
    let rig = Rig::new();
    let listener = rig.listen();
    let parts = |count| Report::Processes(vec![Processes::default(); count]);
    rig.handle.send(parts(9));
    let mut peer = Peer::greet(&listener);
    assert_eq!(rig.input(), up());
    rig.handle.send(parts(2));
    for _ in 0..2 {
        assert_eq!(peer.hear(), Frame::Processes(Processes::default()));
    }
    assert_eq!(rig.input(), FeedInput::Told, "once for all parts; what was sent before is dropped");
    rig.handle.send(counters(1).into());
    rig.handle.send(parts(1));
    assert!(matches!(peer.hear(), Frame::Counters(_)));
    assert_eq!(peer.hear(), Frame::Processes(Processes::default()));
    assert_eq!(rig.input(), FeedInput::Told);
}

#[test]
fn reports_go_up_and_the_last_counters_are_told_again_to_one_who_comes_back() {
    let rig = Rig::new();
    rig.handle.send(counters(1).into());
    let listener = rig.listen();
    let mut peer = Peer::greet(&listener);
    assert_eq!(peer.hear(), Frame::Counters(Box::new(counters(1))), "kept until somebody was there");
    rig.handle.send(counters(2).into());
    assert_eq!(peer.hear(), Frame::Counters(Box::new(counters(2))));
    let answer = Explanation { id: 5, pid: 42, ..Explanation::default() };
    rig.handle.send(answer.clone().into());
    assert_eq!(peer.hear(), Frame::Explanation(answer));
    drop(peer);
    let mut peer = Peer::greet(&listener);
    assert_eq!(peer.hear(), Frame::Counters(Box::new(counters(2))));
}

#[test]
fn it_comes_back_to_whoever_listens_again_and_says_nothing_new_in_between() {
    let rig = Rig::new();
    let listener = rig.listen();
    let mut peer = Peer::greet(&listener);
    assert_eq!(rig.input(), up());
    peer.say(&part(7, 1, 1));
    assert!(matches!(rig.input(), FeedInput::Intents { generation: 7, .. }));
    // A set that was begun and never completed leaves no trace.
    peer.say(&part(8, 1, 2));
    drop((peer, listener));
    assert!(matches!(rig.input(), FeedInput::Down { .. }));

    let listener = rig.listen();
    let mut peer = Peer::greet(&listener);
    assert_eq!(rig.input(), up());
    peer.say(&part(8, 1, 1));
    let FeedInput::Intents { generation, set, .. } = rig.input() else { panic!() };
    assert_eq!((generation, set.len()), (8, 1));
}

#[test]
fn one_who_does_not_speak_the_feed_is_left() {
    let rig = Rig::new();
    let listener = rig.listen();
    let other = Hello { protocol: 2, ..Hello::new(Role::DecisionMaker, "9.9.9") };
    for (what, first) in [
        ("another protocol", Frame::Hello(other)),
        ("no decision maker", Frame::Hello(Hello::new(Role::Monitor, "9.9.9"))),
        ("no greeting", part(7, 1, 1)),
    ] {
        let mut peer = Peer::accept(&listener);
        assert!(matches!(peer.hear(), Frame::Hello(_)), "{what}");
        peer.say(&first);
        assert!(peer.is_left(), "{what}");
    }
    let mut peer = Peer::greet(&listener);
    assert_eq!(rig.input(), up(), "nothing was delivered before");
    peer.say(&part(7, 2, 2));
    assert!(peer.is_left(), "a part out of order");
    assert!(matches!(rig.input(), FeedInput::Down { .. }));
}

#[test]
fn a_bye_is_told_and_answered_by_trying_again() {
    let rig = Rig::new();
    let listener = rig.listen();
    let mut peer = Peer::greet(&listener);
    assert_eq!(rig.input(), up());
    peer.say(&Frame::Bye(Bye { reason: "another scheduler is connected".to_owned() }));
    assert!(peer.is_left());
    let FeedInput::Down { reason } = rig.input() else { panic!() };
    assert!(reason.contains("another scheduler is connected"), "{reason}");
    Peer::greet(&listener);
}

#[test]
fn it_ends_with_a_word_when_the_last_handle_is_gone() {
    let Rig { dir, inputs, handle } = Rig::new();
    let listener = UnixListener::bind(dir.path().join("feed.sock")).unwrap();
    let mut peer = Peer::greet(&listener);
    assert_eq!(inputs.recv_timeout(PATIENCE).unwrap(), up());
    let other = handle.clone();
    drop(handle);
    other.send(counters(1).into());
    assert!(matches!(peer.hear(), Frame::Counters(_)), "another handle is left");
    drop(other);
    assert!(matches!(peer.hear(), Frame::Bye(_)));
    assert!(peer.is_left());
    assert!(inputs.recv_timeout(PATIENCE).is_err(), "the thread has ended");
}

#[test]
fn it_ends_when_nobody_takes_what_comes_down() {
    let Rig { dir, inputs, handle: _handle } = Rig::new();
    drop(inputs);
    let listener = UnixListener::bind(dir.path().join("feed.sock")).unwrap();
    let mut peer = Peer::accept(&listener);
    peer.say(&Frame::Hello(Hello::new(Role::DecisionMaker, "9.9.9")));
    assert!(matches!(peer.hear(), Frame::Hello(_)));
    assert!(peer.is_left());
}
