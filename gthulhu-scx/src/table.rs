//! The table of strategies for other programs of this machine, over a socket of its own. They speak to it as to a decision
//! maker's feed: who greets as a reader gets the table's file, which he can only read, and is let go; nobody else is served.
//!
//! A reader has a thread while he is served, for a few seconds at most, and there are only so many of them. None has any
//! capability, and the thread that governs knows nothing of them.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use gthulhu_http::json;
use gthulhu_http::socket::{Socket, SocketError, send_with};
use gthulhu_lib::strategy::table::{LAYOUT, StrategyTable};
use gthulhu_lib::wire::feed::codec::{Deframer, framed};
use gthulhu_lib::wire::feed::{Bye, Frame, Hello, PROTOCOL, Role, Table};

/// How long all of it may take with one reader.
const PATIENCE: Duration = Duration::from_secs(5);
/// Readers at a time.
const READERS: usize = 8;
/// The longest greeting, in bytes.
const GREETING_MAX: usize = 4096;
/// How long nobody is taken after one could not be: others have to end first.
const PAUSE: Duration = Duration::from_secs(1);

/// A socket that readers may connect to; its file is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    socket: Socket,
    table: Arc<StrategyTable>,
}

impl Server {
    /// Listens at `path`, for this process's own user and for the group `gthulhu`. Nobody is served yet.
    pub fn bind(path: &Path, table: Arc<StrategyTable>) -> Result<Self, SocketError> {
        Ok(Self { socket: Socket::open(path)?, table })
    }

    /// Gives the table to whoever asks for it, from threads of its own.
    pub fn serve(&self) -> io::Result<()> {
        let (listener, table) = (self.socket.listener().try_clone()?, Arc::clone(&self.table));
        thread::Builder::new().name("table".to_owned()).spawn(move || accept(&listener, &table)).map(drop)
    }
}

fn accept(listener: &UnixListener, table: &Arc<StrategyTable>) {
    // Each reader's thread has a copy.
    let seats = Arc::new(());
    loop {
        match listener.accept() {
            Ok((stream, _)) if Arc::strong_count(&seats) <= READERS => {
                let (seat, table) = (Arc::clone(&seats), Arc::clone(table));
                let serve = move || {
                    serve(&stream, &table);
                    drop(seat);
                };
                if let Err(error) = thread::Builder::new().name("reader".to_owned()).spawn(serve) {
                    tracing::warn!(%error, "a reader of the table cannot be served");
                }
            }
            Ok(_) => tracing::warn!("a reader of the table is turned away: there are too many"),
            Err(error) => {
                tracing::warn!(%error, "a reader of the table cannot be taken");
                thread::park_timeout(PAUSE);
            }
        }
    }
}

fn serve(stream: &UnixStream, table: &StrategyTable) {
    match give(stream, table) {
        Ok(()) => tracing::info!("a reader has got the table"),
        Err(error) => {
            tracing::warn!(%error, "a reader of the table was refused");
            // Who does not listen any more misses it.
            let _ = say(stream, &Frame::Bye(Bye { reason: error.to_string() }));
        }
    }
}

/// Greets, is greeted, and hands the table over.
fn give(mut stream: &UnixStream, table: &StrategyTable) -> io::Result<()> {
    // What is said fits into what a socket holds, so nobody is waited for but for his greeting.
    stream.set_write_timeout(Some(PATIENCE))?;
    say(stream, &Frame::Hello(Hello::new(Role::Scheduler, env!("CARGO_PKG_VERSION"))))?;
    match greeting(stream)? {
        Frame::Hello(Hello { protocol, .. }) if protocol != PROTOCOL => {
            let reason = format!("protocol {protocol} is not spoken here; protocol {PROTOCOL} is");
            return Err(io::Error::other(reason));
        }
        Frame::Hello(Hello { role: Role::Reader, .. }) => {}
        Frame::Hello(_) => return Err(io::Error::other("only the role reader is served")),
        _ => return Err(io::Error::other("it did not greet")),
    }
    let file = table.file().ok_or_else(|| io::Error::other("this system has no files for tables"))?;
    let frame = bytes(&Frame::Table(Table { layout: LAYOUT, pid_max: table.pid_max() }))?;
    let sent = send_with(stream, &frame, file)?;
    stream.write_all(&frame[sent..])
}

/// The first frame, which must be short and come soon.
fn greeting(mut stream: &UnixStream) -> io::Result<Frame> {
    let until = Instant::now() + PATIENCE;
    let mut deframer = Deframer::new(GREETING_MAX);
    let mut piece = [0; GREETING_MAX];
    loop {
        if let Some(text) = deframer.next().map_err(io::Error::other)? {
            return json::parse(text).map_err(|error| io::Error::other(error.to_string()));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => deframer.push(&piece[..count]),
        }
    }
}

fn say(mut stream: &UnixStream, frame: &Frame) -> io::Result<()> {
    stream.write_all(&bytes(frame)?)
}

fn bytes(frame: &Frame) -> io::Result<Vec<u8>> {
    framed(&serde_json::to_vec(frame)?).map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
