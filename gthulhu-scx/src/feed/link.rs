//! One connection to the decision maker: frames in, frames out, and no call that waits for the peer.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use gthulhu_http::json;
use gthulhu_lib::wire::feed::codec::{Deframer, framed};
use gthulhu_lib::wire::feed::{FRAME_MAX, Frame};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use thiserror::Error;

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// Why a connection is of no use any more.
#[derive(Debug, Error)]
pub(super) enum LinkError {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer closed it.
    #[error("it closed the connection")]
    Closed,
    /// What the peer sends is not the feed.
    #[error("it does not speak as expected: {0}")]
    Foreign(String),
    /// The peer said why it ends the connection.
    #[error("it said: {0}")]
    Bye(String),
}

/// A connected socket that never blocks.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
    deframer: Deframer,
    /// The frame that is being sent, and how much of it has gone.
    out: Vec<u8>,
    sent: usize,
    piece: Vec<u8>,
}

impl Link {
    /// Connects without waiting: a decision maker that does not accept is as good as none.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Self::new(UnixStream::from(socket)))
    }

    fn new(stream: UnixStream) -> Self {
        Self { stream, deframer: Deframer::new(FRAME_MAX), out: Vec::new(), sent: 0, piece: vec![0; PIECE] }
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Whether a frame is still being sent.
    pub(super) fn is_sending(&self) -> bool {
        self.sent < self.out.len()
    }

    /// Begins to send a frame. Only when none is being sent.
    pub(super) fn send(&mut self, frame: &Frame) -> Result<(), LinkError> {
        let text = serde_json::to_vec(frame).map_err(io::Error::from)?;
        self.out = framed(&text).map_err(io::Error::other)?;
        self.sent = 0;
        self.flush()
    }

    /// Sends as much as the peer takes now.
    pub(super) fn flush(&mut self) -> Result<(), LinkError> {
        while self.is_sending() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The peer reads no more. Why, it may have said: what it sent is still to be read, and then its end.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.out = Vec::new();
        self.sent = 0;
        Ok(())
    }

    /// Reads once; the frames are then in [`Link::next`].
    pub(super) fn read(&mut self) -> Result<(), LinkError> {
        match self.stream.read(&mut self.piece) {
            Ok(0) => Err(LinkError::Closed),
            Ok(count) => {
                self.deframer.push(&self.piece[..count]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The next frame that has arrived.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, LinkError> {
        let text = self.deframer.next().map_err(|error| LinkError::Foreign(error.to_string()))?;
        let Some(text) = text else { return Ok(None) };
        json::parse(text).map(Some).map_err(|error| LinkError::Foreign(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use gthulhu_lib::wire::feed::{Bye, Event, Events};

    use super::*;

    fn bye(reason: &str) -> Frame {
        Frame::Bye(Bye { reason: reason.to_owned() })
    }

    fn pair() -> (Link, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Link::new(ours), theirs)
    }

    fn bytes(frame: &Frame) -> Vec<u8> {
        framed(&serde_json::to_vec(frame).unwrap()).unwrap()
    }

    #[test]
    fn frames_arrive_in_order_and_whole() {
        let (mut link, mut peer) = pair();
        link.read().unwrap();
        assert_eq!(link.next().unwrap(), None, "nothing is waited for");
        let stream = [bytes(&bye("one")), bytes(&bye("two"))].concat();
        let (begin, rest) = stream.split_at(7);
        peer.write_all(begin).unwrap();
        link.read().unwrap();
        assert_eq!(link.next().unwrap(), None);
        peer.write_all(rest).unwrap();
        link.read().unwrap();
        assert_eq!(link.next().unwrap(), Some(bye("one")));
        assert_eq!(link.next().unwrap(), Some(bye("two")));
        drop(peer);
        assert!(matches!(link.read(), Err(LinkError::Closed)));
    }

    #[test]
    fn a_peer_that_does_not_read_is_not_waited_for() {
        let (mut link, mut peer) = pair();
        let event = Event { path: "p".repeat(200), ..Event::default() };
        let large = Frame::Events(Events { lost: 0, events: vec![event; 10_000] });
        link.send(&large).unwrap();
        assert!(link.is_sending(), "the socket does not hold all of it");
        let mut got = vec![0; bytes(&large).len()];
        let reader = std::thread::spawn(move || {
            peer.read_exact(&mut got).unwrap();
            got
        });
        while link.is_sending() {
            link.flush().unwrap();
        }
        assert!(reader.join().unwrap() == bytes(&large));
    }

    #[test]
    fn the_last_word_of_a_peer_that_is_gone_is_heard() {
        let (mut link, mut peer) = pair();
        peer.write_all(&bytes(&bye("full"))).unwrap();
        drop(peer);
        link.send(&bye("unheard")).unwrap();
        link.read().unwrap();
        assert_eq!(link.next().unwrap(), Some(bye("full")));
        assert!(matches!(link.read(), Err(LinkError::Closed)));
    }

    #[test]
    fn what_is_not_the_feed_is_told_apart() {
        for (what, stream) in [
            ("a length too large", u32::MAX.to_le_bytes().to_vec()),
            ("text that is not JSON", framed(b"nonsense").unwrap()),
            ("no type", framed(b"{}").unwrap()),
            ("nothing", framed(b"").unwrap()),
            ("one key twice", framed(br#"{"type":"bye","type":"bye"}"#).unwrap()),
            ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ] {
            let (mut link, mut peer) = pair();
            peer.write_all(&stream).unwrap();
            link.read().unwrap();
            assert!(matches!(link.next(), Err(LinkError::Foreign(_))), "{what}");
        }
        let (mut link, mut peer) = pair();
        peer.write_all(&framed(br#"{"type":"news"}"#).unwrap()).unwrap();
        link.read().unwrap();
        assert_eq!(link.next().unwrap(), Some(Frame::Unknown));
    }
}
