//! The file of a decision maker's table, by its feed.

use std::io::{ErrorKind, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use gthulhu_lib::wire::feed::codec::{Deframer, framed};
use gthulhu_lib::wire::feed::{Bye, Frame, Hello, Role};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::error::Failure;
use crate::error::gthulhu_code::{GTHULHU_NO_TABLE, GTHULHU_SYSTEM};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest frame that a reader is sent.
const FRAME: usize = 4096;

/// Greets as a reader and waits for the table.
pub(crate) fn connect(socket: &str) -> Result<OwnedFd, Failure> {
    let system = |error: std::io::Error| Failure::new(GTHULHU_SYSTEM, format!("{socket}: {error}"));
    let foreign = |what: String| Failure::new(GTHULHU_NO_TABLE, format!("{socket}: {what}"));
    let until = Instant::now() + PATIENCE;
    let mut stream = UnixStream::connect(socket).map_err(system)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(system)?;
    let hello = Frame::Hello(Hello::new(Role::Reader, env!("CARGO_PKG_VERSION")));
    let hello = serde_json::to_vec(&hello).map_err(|error| foreign(error.to_string()))?;
    let hello = framed(&hello).map_err(|error| foreign(error.to_string()))?;
    match stream.write_all(&hello) {
        // It does not listen any more. Why, it may have said.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.map_err(system)?,
    }
    let (mut deframer, mut file) = (Deframer::new(FRAME), None);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(foreign("it took too long".to_owned()));
        }
        stream.set_read_timeout(Some(left)).map_err(system)?;
        let mut piece = [0; FRAME];
        let count = receive(&stream, &mut piece, &mut file).map_err(system)?;
        if count == 0 {
            return Err(foreign("it closed the connection".to_owned()));
        }
        deframer.push(&piece[..count]);
        while let Some(text) = deframer.next().map_err(|error| foreign(error.to_string()))? {
            match serde_json::from_slice(text).map_err(|error| foreign(error.to_string()))? {
                Frame::Table(_) => {
                    return file.ok_or_else(|| foreign("no file came with the table".to_owned()));
                }
                Frame::Bye(Bye { reason }) => return Err(foreign(reason)),
                _ => {}
            }
        }
    }
}

/// Receives once; the last file that came is kept, others are closed.
fn receive(stream: &UnixStream, piece: &mut [u8], file: &mut Option<OwnedFd>) -> std::io::Result<usize> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = RecvAncillaryBuffer::new(&mut room);
    let received = recvmsg(stream, &mut [IoSliceMut::new(piece)], &mut with, RecvFlags::CMSG_CLOEXEC)?;
    for message in with.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            files.for_each(|came| *file = Some(came));
        }
    }
    Ok(received.bytes)
}
