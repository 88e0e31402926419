//! The file of a table that another process writes, a decision maker or a scheduler, by its socket.

use std::io::{self, ErrorKind, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use gthulhu_lib::wire::feed::codec::{Deframer, framed};
use gthulhu_lib::wire::feed::{Bye, Frame, Hello, Role};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix, SocketFlags,
    SocketType, recvmsg, socket_with,
};

use crate::error::Failure;
use crate::error::gthulhu_code::{GTHULHU_NO_TABLE, GTHULHU_SYSTEM};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(5);

const TOO_LONG: &str = "it took too long";

/// The longest frame that a reader is sent.
const FRAME: usize = 4096;

/// Greets as a reader and waits for the table.
pub(crate) fn connect(socket: &str) -> Result<OwnedFd, Failure> {
    connect_within(socket, PATIENCE)
}

fn connect_within(socket: &str, patience: Duration) -> Result<OwnedFd, Failure> {
    let until = Instant::now() + patience;
    let foreign = |what: &str| Failure::new(GTHULHU_NO_TABLE, format!("{socket}: {what}"));
    // What the system says when a socket's time is over.
    let system = |error: io::Error| match error.kind() {
        ErrorKind::WouldBlock => foreign(TOO_LONG),
        _ => Failure::new(GTHULHU_SYSTEM, format!("{socket}: {error}")),
    };
    let mut stream = open(socket, until).map_err(system)?;
    let hello = Frame::Hello(Hello::new(Role::Reader, env!("CARGO_PKG_VERSION")));
    let hello = serde_json::to_vec(&hello).map_err(|error| foreign(&error.to_string()))?;
    let hello = framed(&hello).map_err(|error| foreign(&error.to_string()))?;
    stream.set_write_timeout(Some(left(until).map_err(system)?)).map_err(system)?;
    match stream.write_all(&hello) {
        // It does not listen any more. Why, it may have said.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.map_err(system)?,
    }
    let (mut deframer, mut file) = (Deframer::new(FRAME), None);
    loop {
        let mut piece = [0; FRAME];
        let count = receive(&stream, until, &mut piece, &mut file).map_err(system)?;
        if count == 0 {
            return Err(foreign("it closed the connection"));
        }
        deframer.push(&piece[..count]);
        while let Some(text) = deframer.next().map_err(|error| foreign(&error.to_string()))? {
            match serde_json::from_slice(text).map_err(|error| foreign(&error.to_string()))? {
                Frame::Table(_) => return file.ok_or_else(|| foreign("no file came with the table")),
                Frame::Bye(Bye { reason }) => return Err(foreign(&reason)),
                _ => {}
            }
        }
    }
}

/// The time that is left, if any is.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::WouldBlock.into()) } else { Ok(left) }
}

/// A connection. One who listens and takes nobody is waited for like one who takes us and says nothing.
fn open(socket: &str, until: Instant) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(socket)?;
    let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    loop {
        set_socket_timeout(&stream, Timeout::Send, Some(left(until)?))?;
        match rustix::net::connect(&stream, &address) {
            Err(Errno::INTR) => {}
            connected => return Ok(connected.map(|()| stream.into())?),
        }
    }
}

/// Receives once; the last file that came is kept, others are closed.
fn receive(
    stream: &UnixStream,
    until: Instant,
    piece: &mut [u8],
    file: &mut Option<OwnedFd>,
) -> io::Result<usize> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = RecvAncillaryBuffer::new(&mut room);
    let received = loop {
        stream.set_read_timeout(Some(left(until)?))?;
        match recvmsg(stream, &mut [IoSliceMut::new(piece)], &mut with, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            received => break received?,
        }
    };
    for message in with.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            files.for_each(|came| *file = Some(came));
        }
    }
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn who_takes_or_says_nothing_is_not_waited_for_for_ever() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("feed.sock");
        let socket = path.to_str().expect("it is text");
        let patience = Duration::from_millis(50);
        let said = || {
            let failure = connect_within(socket, patience).expect_err("there is no table");
            (failure.0, failure.1.replace(socket, "S"))
        };
        let listener = UnixListener::bind(&path).expect("the directory is ours");
        // One may wait to be taken, and there he stays.
        rustix::net::listen(&listener, 0).expect("it listens");
        assert_eq!(said(), (GTHULHU_NO_TABLE, format!("S: {TOO_LONG}")), "it says nothing");
        assert_eq!(said(), (GTHULHU_NO_TABLE, format!("S: {TOO_LONG}")), "it takes nobody");
        drop(listener);
        let (code, text) = said();
        assert!(code == GTHULHU_SYSTEM && text.starts_with("S: Connection refused"), "{text}");
        let long = "x".repeat(200);
        let failure = connect_within(&long, patience).expect_err("no socket has such a name");
        assert_eq!(failure.0, GTHULHU_SYSTEM);
    }
}
