//! The open connections, and which of them give way when there are too many.
//!
//! A connection costs its caller next to nothing, so a limit alone would let anyone fill it with silence and lock
//! all others out. Therefore a full house is no reason to keep a new caller waiting while others only occupy their
//! places: those that have waited longest for their caller are closed for him. A request in work is never cut off, nor
//! is a reply on its way while there is time to take it in.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::clock::Clock;
use super::{Shared, connection};

/// What each connection has to say its first word in, however many others want its place.
const GRACE: Duration = Duration::from_millis(100);

/// How many give way at once: this many, and more of a crowd, because looking for them costs a pass over all.
const FEW: usize = 8;
const SHARE: usize = 64;

pub(super) struct Connections {
    running: JoinSet<()>,
    open: HashMap<Id, (AbortHandle, Arc<Clock>)>,
    limit: usize,
    /// How many of them are used: fewer after the system refused more, until the crowd is gone.
    most: usize,
    /// Said in the log once for each crowd.
    crowded: bool,
}

impl Connections {
    pub(super) fn new(limit: usize) -> Connections {
        Connections { running: JoinSet::new(), open: HashMap::new(), limit, most: limit, crowded: false }
    }

    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.running.len() >= self.most
    }

    pub(super) fn start<A: Send + Sync + 'static>(
        &mut self,
        shared: &Arc<Shared<A>>,
        (stream, peer): (TcpStream, SocketAddr),
    ) {
        let clock = Arc::new(Clock::new(&shared.limits));
        let task = connection::run(Arc::clone(shared), stream, peer, Arc::clone(&clock));
        let handle = self.running.spawn(task);
        self.open.insert(handle.id(), (handle, clock));
    }

    /// Waits for the end of one connection; none when there is none. Safe to drop while waiting.
    pub(super) async fn ended(&mut self) -> Option<()> {
        let ended = self.running.join_next_with_id().await?;
        let id = ended.map_or_else(|error: JoinError| error.id(), |(id, ())| id);
        self.open.remove(&id);
        if self.running.len() <= self.most / 2 {
            self.most = self.limit;
            self.crowded = false;
        }
        Some(())
    }

    /// The system has no descriptor left. Some are given back, and not to callers: the rest of the daemon needs them,
    /// and so does the next one who calls, to be told from those who are silent.
    pub(super) fn starved(&mut self) {
        let open = self.len();
        self.most = (open - open.div_ceil(8)).clamp(1, self.limit);
        self.make_room();
    }

    /// Closes those that have waited longest for their caller, a few at once; all others stay.
    pub(super) fn make_room(&mut self) {
        let Some(latest) = Instant::now().checked_sub(GRACE) else { return };
        let waiting = self.open.iter().filter_map(|(id, (_, clock))| Some((clock.waiting_since()?, *id)));
        let mut waiting: Vec<(Instant, Id)> = waiting.filter(|(since, _)| *since <= latest).collect();
        let few = FEW.max(self.open.len() / SHARE);
        if waiting.len() > few {
            waiting.select_nth_unstable_by_key(few, |(since, _)| *since);
            waiting.truncate(few);
        }
        if !self.crowded && !waiting.is_empty() {
            tracing::warn!(connections = self.len(), "no more connections fit; closing the quietest ones");
            self.crowded = true;
        }
        for (_, id) in waiting {
            if let Some((task, clock)) = self.open.get(&id)
                && clock.give_up()
            {
                task.abort();
            }
        }
    }

    /// Closes all, whatever they do.
    pub(super) async fn shutdown(&mut self) {
        self.running.shutdown().await;
    }
}
