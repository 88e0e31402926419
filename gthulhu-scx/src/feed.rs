//! The feed from the node's decision maker: intents and questions down, counters, events and answers up.
//!
//! [`connect`] starts a thread that keeps the connection: it tries again, ever more rarely, while the decision maker
//! is away, and says nothing new then, so that whoever listens keeps the last set it was given. The thread holds
//! nothing that a peer could make grow: one set that is arriving, one frame that is leaving, and an
//! [`Outbox`](outbox) with room for so many reports.
//!
//! [`report`] makes reports of what the kernel side counts.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use gthulhu_lib::wire::IntentBody;
use gthulhu_lib::wire::feed::{Counters, Events, Explanation, MutedTask, Processes, Role};

mod backoff;
mod client;
mod link;
mod outbox;
pub mod report;

use client::Client;
use outbox::Outbox;

/// What comes from the connection. Always in this order: `Up`, any number of the others, `Down`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedInput {
    /// The decision maker is there and speaks our language. A set follows.
    Up {
        /// Its version.
        version: String,
    },
    /// It has gone away. What it said last still holds.
    Down {
        /// Why, as far as it can be told.
        reason: String,
    },
    /// The complete set that the node holds now, unchecked. The same one may come again.
    Intents {
        /// Epoch of the last numbered push; 0 before it.
        epoch: u64,
        /// Generation of the last numbered push; 0 before it.
        generation: u64,
        /// The intents.
        set: Vec<IntentBody>,
        /// Tasks that no strategy may reach until another generation or set comes.
        muted: Vec<MutedTask>,
    },
    /// The last of the [`Report::Processes`] that were handed over has been sent.
    Told,
    /// To be answered by an [`Explanation`] with the same `id` and `pid`.
    Explain {
        /// Repeated in the answer.
        id: u64,
        /// The task.
        pid: u32,
    },
}

/// What goes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Replaces the counters before. To be sent every few seconds: a scheduler that says nothing for half a minute counts
    /// as failed. The last ones are kept and told to a decision maker that comes back.
    Counters(Box<Counters>),
    /// What happened. Kept, as far as there is room, while the decision maker is away.
    Events(Events),
    /// What a monitor tells of processes. Whoever sends them waits for [`FeedInput::Told`] before the next, and tells all
    /// anew after each `Up`: those that were not sent when the decision maker went away are dropped.
    Processes(Vec<Processes>),
    /// The answer to a question; dropped when the one who asked has gone away.
    Explanation(Explanation),
}

/// The way up. Clones lead to the same connection; it ends, with a word to the decision maker, when the last of them
/// is dropped.
#[derive(Debug, Clone)]
pub struct FeedHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    outbox: Arc<Mutex<Outbox>>,
    /// A byte wakes the thread, the end of the stream ends it.
    wake: UnixStream,
}

/// Starts the thread that keeps a connection to the socket at `path`, as a [`Role::Scheduler`] or [`Role::Monitor`].
///
/// `deliver` gets what comes down, on that thread; while it works nothing more is read, and when it answers `false`
/// the thread ends. Fails only when the system has no thread or socket pair to give.
pub fn connect(
    path: impl Into<PathBuf>,
    role: Role,
    deliver: impl FnMut(FeedInput) -> bool + Send + 'static,
) -> io::Result<FeedHandle> {
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    let outbox = Arc::<Mutex<Outbox>>::default();
    let client = Client::new(path.into(), role, Arc::clone(&outbox), woken, deliver);
    thread::Builder::new().name("feed".to_owned()).spawn(move || client.run())?;
    Ok(FeedHandle(Arc::new(Shared { outbox, wake })))
}

impl FeedHandle {
    /// Hands a report over and returns at once. What has no room replaces what is older.
    pub fn send(&self, report: Report) {
        self.0.outbox.lock().unwrap_or_else(PoisonError::into_inner).put(report);
        // A full pipe is as good as another byte, and a thread that has ended needs none.
        let _ = (&self.0.wake).write(&[0]);
    }
}

impl From<Counters> for Report {
    fn from(counters: Counters) -> Self {
        Self::Counters(Box::new(counters))
    }
}

impl From<Events> for Report {
    fn from(events: Events) -> Self {
        Self::Events(events)
    }
}

impl From<Explanation> for Report {
    fn from(explanation: Explanation) -> Self {
        Self::Explanation(explanation)
    }
}

#[cfg(test)]
mod tests;
