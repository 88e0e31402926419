//! Frames over a connection, with a deadline on everything that a peer can make last.

use std::{
    io::{self, ErrorKind},
    os::fd::BorrowedFd,
    time::Duration,
};

use gthulhu_http::{json, socket::send_with};
use gthulhu_lib::wire::feed::{
    Bye, FRAME_MAX, Frame,
    codec::{Deframer, framed},
};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// How long a frame may take, from its first byte to its last, in either direction.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long the greeting may take: a program on the same machine has nothing else to do.
const GREETING: Duration = Duration::from_secs(5);

/// The longest greeting, in bytes.
const GREETING_MAX: usize = 4096;

/// Bytes read at once.
const PIECE: usize = 16 << 10;

/// Why nothing more can be read or written.
#[derive(Debug, Error)]
pub(super) enum Gone {
    /// The system says so.
    #[error(transparent)]
    Io(io::Error),
    /// The peer has closed the connection.
    #[error("it closed the connection")]
    Closed,
    /// A frame took too long.
    #[error("it took longer than {} s for a frame", .0.as_secs())]
    Slow(Duration),
    /// What it sends is no frame.
    #[error("it does not speak as expected: {0}")]
    Foreign(String),
    /// The peer said that it goes, and why.
    #[error("it said: {0}")]
    Bye(String),
    /// The peer is not wanted.
    #[error("{0}")]
    Refused(String),
}

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Gone {
        match error.kind() {
            // As seen by one who still had something to read, or to say.
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Gone::Closed,
            _ => Gone::Io(error),
        }
    }
}

/// What a peer says.
pub(super) struct Incoming {
    half: OwnedReadHalf,
    deframer: Deframer,
    piece: Vec<u8>,
}

impl Incoming {
    pub(super) fn new(half: OwnedReadHalf) -> Incoming {
        Incoming { half, deframer: Deframer::new(GREETING_MAX), piece: vec![0; PIECE] }
    }

    /// The first frame, which must be short and come soon.
    pub(super) async fn greeting(&mut self) -> Result<Frame, Gone> {
        let frame = timeout(GREETING, self.frame()).await.map_err(|_| Gone::Slow(GREETING))??;
        self.deframer.set_limit(FRAME_MAX);
        Ok(frame)
    }

    /// The next frame, however long the peer says nothing before it begins.
    pub(super) async fn next(&mut self) -> Result<Frame, Gone> {
        if !self.deframer.is_amid() {
            self.read().await?;
        }
        timeout(DEADLINE, self.frame()).await.map_err(|_| Gone::Slow(DEADLINE))?
    }

    async fn frame(&mut self) -> Result<Frame, Gone> {
        loop {
            let text = self.deframer.next().map_err(|error| Gone::Foreign(error.to_string()))?;
            if let Some(text) = text {
                return json::parse(text).map_err(|error| Gone::Foreign(error.to_string()));
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), Gone> {
        match self.half.read(&mut self.piece).await? {
            0 => Err(Gone::Closed),
            count => {
                self.deframer.push(&self.piece[..count]);
                Ok(())
            }
        }
    }
}

/// What a peer is told.
pub(super) struct Outgoing(OwnedWriteHalf);

impl Outgoing {
    pub(super) fn new(half: OwnedWriteHalf) -> Outgoing {
        Outgoing(half)
    }

    /// Sends a frame; a peer that does not take it in time is gone.
    pub(super) async fn say(&mut self, frame: &Frame) -> Result<(), Gone> {
        self.send(&bytes(frame)?).await
    }

    /// Sends the bytes of a frame.
    pub(super) async fn send(&mut self, frame: &[u8]) -> Result<(), Gone> {
        Ok(timeout(DEADLINE, self.0.write_all(frame)).await.map_err(|_| Gone::Slow(DEADLINE))??)
    }

    /// Sends the bytes of a frame, with a file of ours for the peer.
    pub(super) async fn send_with(&mut self, frame: &[u8], file: BorrowedFd<'_>) -> Result<(), Gone> {
        let stream: &UnixStream = self.0.as_ref();
        let sending = stream.async_io(Interest::WRITABLE, || send_with(stream, frame, file));
        let sent = timeout(DEADLINE, sending).await.map_err(|_| Gone::Slow(DEADLINE))??;
        self.send(&frame[sent..]).await
    }

    /// The last word.
    pub(super) async fn bye(&mut self, reason: impl Into<String>) {
        // Whoever does not listen any more misses it.
        let _ = self.say(&Frame::Bye(Bye { reason: reason.into() })).await;
    }
}

/// A frame as it travels.
pub(super) fn bytes(frame: &Frame) -> io::Result<Vec<u8>> {
    framed(&serde_json::to_vec(frame)?).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use gthulhu_lib::wire::feed::{Explain, Hello, Role};

    use super::*;

    fn pair() -> (Incoming, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Incoming::new(ours.into_split().0), theirs)
    }

    fn frame() -> Frame {
        Frame::Explain(Explain { id: 1, pid: 42 })
    }

    #[tokio::test]
    async fn a_greeting_is_short_and_what_follows_may_be_long() {
        let (mut incoming, mut peer) = pair();
        let hello = Frame::Hello(Hello::new(Role::Scheduler, "1"));
        let long = Frame::Bye(Bye { reason: "r".repeat(2 * GREETING_MAX) });
        let stream = [bytes(&hello).unwrap(), bytes(&long).unwrap()].concat();
        peer.write_all(&stream).await.unwrap();
        assert_eq!(incoming.greeting().await.unwrap(), hello);
        assert_eq!(incoming.next().await.unwrap(), long);

        let (mut incoming, mut peer) = pair();
        peer.write_all(&bytes(&long).unwrap()).await.unwrap();
        assert!(matches!(incoming.greeting().await, Err(Gone::Foreign(_))));
    }

    /// The runtime's clock stands still and jumps to the next deadline when nothing else can happen.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_greet_or_stops_in_the_middle_is_gone_and_who_is_silent_is_not() {
        let (mut incoming, peer) = pair();
        assert!(matches!(incoming.greeting().await, Err(Gone::Slow(_))), "no greeting");
        drop(peer);
        let (mut incoming, mut peer) = pair();
        let whole = bytes(&frame()).unwrap();
        peer.write_all(&whole[..9]).await.unwrap();
        assert!(matches!(incoming.next().await, Err(Gone::Slow(_))), "half a frame");

        let (mut incoming, mut peer) = pair();
        let waiting = tokio::spawn(async move { incoming.next().await });
        tokio::time::sleep(DEADLINE * 100).await;
        peer.write_all(&whole).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), frame());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_gone() {
        let (ours, _peer) = UnixStream::pair().unwrap();
        let mut outgoing = Outgoing::new(ours.into_split().1);
        let full = loop {
            if let Err(gone) = outgoing.say(&frame()).await {
                break gone;
            }
        };
        assert!(matches!(full, Gone::Slow(_)), "{full}");
    }
}
