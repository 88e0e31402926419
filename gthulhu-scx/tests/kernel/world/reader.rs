//! Another program of the machine, which asks the scheduler for its table.

use std::io::{IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::path::Path;

use gthulhu_lib::strategy::table::StrategyTable;
use gthulhu_lib::wire::feed::codec::framed;
use gthulhu_lib::wire::feed::{Frame, Hello, Role};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// The table as a reader at this socket is given it.
pub(crate) fn table_at(socket: &Path) -> StrategyTable {
    let mut stream = UnixStream::connect(socket).expect("the scheduler listens there");
    let hello = serde_json::to_vec(&Frame::Hello(Hello::new(Role::Reader, "1"))).expect("it is JSON");
    stream.write_all(&framed(&hello).expect("it is short")).expect("the scheduler listens");
    loop {
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut with = RecvAncillaryBuffer::new(&mut room);
        let mut text = [0; 4096];
        let received =
            recvmsg(&stream, &mut [IoSliceMut::new(&mut text)], &mut with, RecvFlags::CMSG_CLOEXEC)
                .expect("the scheduler answers");
        let files = with.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        if let Some(file) = files.flatten().next() {
            return StrategyTable::open(file).expect("what it gives is a table");
        }
        assert!(received.bytes > 0, "it hung up: {}", String::from_utf8_lossy(&text));
    }
}
