//! Readers of all kinds, over a real socket.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use gthulhu_lib::strategy::table::TableWriter;
use gthulhu_lib::strategy::{Entry, Resolved};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::*;

/// A table in which task 42 has a strategy, and those who serve it.
fn serving(dir: &tempfile::TempDir) -> (TableWriter, Server) {
    let mut writer = TableWriter::new(512);
    writer.replace(vec![(42, Entry::pack(Resolved::clamped(3, 0), 7))]);
    let server = Server::bind(&dir.path().join("made/table.sock"), Arc::clone(writer.table())).unwrap();
    server.serve().unwrap();
    (writer, server)
}

fn connect(dir: &tempfile::TempDir) -> UnixStream {
    UnixStream::connect(dir.path().join("made/table.sock")).unwrap()
}

/// Everything that is said until the other side closes, and the files that come with it.
fn hear(stream: &UnixStream) -> (Vec<Frame>, Vec<OwnedFd>) {
    let (mut frames, mut files, mut deframer) = (Vec::new(), Vec::new(), Deframer::new(4096));
    loop {
        let piece = receive(stream, &mut files);
        if piece.is_empty() {
            return (frames, files);
        }
        deframer.push(&piece);
        while let Some(text) = deframer.next().unwrap() {
            frames.push(serde_json::from_slice(text).unwrap());
        }
    }
}

/// The next bytes, and the files that come with them; nothing at the end.
fn receive(stream: &UnixStream, files: &mut Vec<OwnedFd>) -> Vec<u8> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut with = RecvAncillaryBuffer::new(&mut room);
    let mut piece = vec![0; 4096];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(stream, &mut [IoSliceMut::new(&mut piece)], &mut with, flags).unwrap();
    for message in with.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            files.extend(came);
        }
    }
    piece.truncate(received.bytes);
    piece
}

fn hello(role: Role) -> Frame {
    Frame::Hello(Hello::new(role, "1"))
}

#[test]
fn a_reader_gets_the_table_and_sees_in_it_what_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, server) = serving(&dir);
    let metadata = std::fs::metadata(dir.path().join("made/table.sock")).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o660);
    let stream = connect(&dir);
    say(&stream, &hello(Role::Reader)).unwrap();
    let (frames, mut files) = hear(&stream);
    let [Frame::Hello(greeting), Frame::Table(given)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((greeting.protocol, greeting.role), (PROTOCOL, Role::Scheduler));
    assert_eq!(*given, Table { layout: LAYOUT, pid_max: 512 });
    assert_eq!(files.len(), 1);
    let table = StrategyTable::open(files.remove(0)).unwrap();
    assert_eq!(table.lookup_task(42, 7).unwrap().resolved().priority(), 3);
    writer.replace(Vec::new());
    assert_eq!(table.lookup(42), None);
    drop(server);
    assert!(!dir.path().join("made/table.sock").exists());
}

#[test]
fn nobody_else_is_served_and_each_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let (_writer, _server) = serving(&dir);
    let other = Frame::Hello(Hello { protocol: 2, ..Hello::new(Role::Reader, "1") });
    for (said, reason) in [
        (bytes(&hello(Role::Scheduler)).unwrap(), "only the role reader is served"),
        (bytes(&hello(Role::Monitor)).unwrap(), "only the role reader is served"),
        (bytes(&other).unwrap(), "protocol 2 is not spoken here; protocol 1 is"),
        (bytes(&Frame::Bye(Bye::default())).unwrap(), "it did not greet"),
        (u32::MAX.to_le_bytes().to_vec(), "at most 4096 are taken"),
        (framed(b"nonsense").unwrap(), ""),
    ] {
        let mut stream = connect(&dir);
        stream.write_all(&said).unwrap();
        let (frames, files) = hear(&stream);
        let Some(Frame::Bye(Bye { reason: told })) = frames.last() else { panic!("{frames:?}") };
        assert!(told.contains(reason) && files.is_empty(), "{told}");
    }
}

/// Whoever says nothing keeps a place for a while, and when all are taken the next one is let go at once.
#[test]
fn there_are_so_many_readers_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (_writer, _server) = serving(&dir);
    let silent: Vec<UnixStream> = (0..READERS).map(|_| connect(&dir)).collect();
    for mut stream in &silent {
        // Who was greeted has a place.
        stream.read_exact(&mut [0; 4]).unwrap();
    }
    let (frames, files) = hear(&connect(&dir));
    assert!(frames.is_empty() && files.is_empty(), "{frames:?}");
    drop(silent);
    // Their places are free when their threads have seen it.
    while hear_as_reader(&dir).is_empty() {
        thread::yield_now();
    }
}

/// The files that a reader is given, if he finds a place.
fn hear_as_reader(dir: &tempfile::TempDir) -> Vec<OwnedFd> {
    let mut stream = connect(dir);
    // The length of the greeting comes first; without a place there is none.
    if stream.read_exact(&mut [0; 4]).is_err() {
        return Vec::new();
    }
    say(&stream, &hello(Role::Reader)).unwrap();
    files(&stream)
}

/// The files that come until the other side closes, whatever is said.
fn files(stream: &UnixStream) -> Vec<OwnedFd> {
    let mut files = Vec::new();
    while !receive(stream, &mut files).is_empty() {}
    files
}
