//! The table of strategies as a program reads it that was handed its file by the feed.

use std::{
    io::{IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
};

use gthulhu_lib::{
    strategy::table::{LAYOUT, StrategyTable},
    wire::feed::{
        Bye, Frame, Hello, Role, Table,
        codec::{Deframer, framed},
    },
};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::{
    rig::{Rig, numbered, pids},
    tree::{ProcTree, WEB},
};

/// Greets as a reader does; gives what is said until the other side closes, and the files that come with it.
fn read_all(socket: &Path) -> (Vec<Frame>, Vec<OwnedFd>) {
    let mut stream = UnixStream::connect(socket).unwrap();
    let hello = serde_json::to_vec(&Frame::Hello(Hello::new(Role::Reader, "1"))).unwrap();
    stream.write_all(&framed(&hello).unwrap()).unwrap();
    let (mut frames, mut files, mut deframer) = (Vec::new(), Vec::new(), Deframer::new(4096));
    loop {
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut with = RecvAncillaryBuffer::new(&mut room);
        let mut piece = [0; 4096];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(&stream, &mut [IoSliceMut::new(&mut piece)], &mut with, flags).unwrap();
        for message in with.drain() {
            if let RecvAncillaryMessage::ScmRights(came) = message {
                files.extend(came);
            }
        }
        if received.bytes == 0 {
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
            return (frames, files);
        }
        deframer.push(&piece[..received.bytes]);
        while let Some(text) = deframer.next().unwrap() {
            frames.push(serde_json::from_slice(text).unwrap());
        }
    }
}

async fn read(socket: &Path) -> (Vec<Frame>, Vec<OwnedFd>) {
    let socket = socket.to_owned();
    tokio::task::spawn_blocking(move || read_all(&socket)).await.unwrap()
}

#[tokio::test]
async fn a_reader_gets_the_table_and_sees_in_it_what_is_pushed() {
    let rig = Rig::feeding(ProcTree::busy());
    rig.client().get("/api/v1/scheduling/strategies").await;
    let (frames, mut files) = read(&rig.socket()).await;
    let [Frame::Hello(hello), Frame::Table(given)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(hello.role, Role::DecisionMaker);
    assert_eq!(files.len(), 1);
    let table = StrategyTable::open(files.remove(0)).unwrap();
    assert_eq!(*given, Table { layout: LAYOUT, pid_max: table.pid_max() });
    assert_eq!((table.generation(), table.lookup(42)), (0, None));

    assert_eq!(rig.client().post("/api/v1/intents", &numbered(3, 7)).await.status, 200);
    let entry = table.lookup_task(42, 42).expect("it is published before the answer");
    assert_eq!(table.lookup_task(42, 43), None, "a later process of that number");
    assert_eq!(entry.resolved().priority(), 3);
    assert!(pids(&rig.client()).await.contains(&42));
    rig.client().delete("/api/v1/intents", &serde_json::json!({"podId": WEB})).await;
    assert_eq!(table.lookup(42), None);
    drop(rig);
    assert!(table.lookup(60).is_some(), "what was published stays when its writer has gone");
}

#[tokio::test]
async fn readers_come_and_go_and_take_nobodys_place() {
    let rig = Rig::feeding(ProcTree::busy());
    rig.client().get("/api/v1/scheduling/strategies").await;
    for _ in 0..20 {
        let (frames, files) = read(&rig.socket()).await;
        assert!(!frames.iter().any(|frame| matches!(frame, Frame::Bye(Bye { .. }))), "{frames:?}");
        assert_eq!(files.len(), 1);
    }
}
