//! The open connections, and which of them give way when there are too many.
//!
//! A connection costs its caller next to nothing, so a limit alone would let anyone fill it with silence and lock
//! all others out. Therefore a full house is no reason to keep a new caller waiting while others only occupy their
//! places: those that have waited longest for their caller are closed for him. A request in work is never cut off.

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

/// The part of the open connections that gives way at once, as a divisor: looking for them costs a pass over all.
const SHARE: usize = 16;

pub(super) struct Connections {
    running: JoinSet<()>,
    open: HashMap<Id, (AbortHandle, Arc<Clock>)>,
    most: usize,
    /// Said in the log once for each time that it gets crowded.
    crowded: bool,
}

impl Connections {
    pub(super) fn new(most: usize) -> Connections {
        Connections { running: JoinSet::new(), open: HashMap::new(), most, crowded: false }
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
        self.crowded &= self.running.len() > self.most / 2;
        Some(())
    }

    /// Closes those that have waited longest for their caller, a few at once; all others stay.
    pub(super) fn make_room(&mut self) {
        let Some(latest) = Instant::now().checked_sub(GRACE) else { return };
        let waiting = self.open.iter().filter_map(|(id, (_, clock))| Some((clock.waiting_since()?, *id)));
        let mut waiting: Vec<(Instant, Id)> = waiting.filter(|(since, _)| *since <= latest).collect();
        let few = (self.open.len() / SHARE).max(1);
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
