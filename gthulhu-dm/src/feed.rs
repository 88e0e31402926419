//! The feed: a unix socket by which the scheduler of this node gets the set and tells what it does with it.
//!
//! One task listens, one serves each peer. None of them ever waits for the node's thread or makes it wait: what the
//! node holds comes by a channel that keeps the newest state only, so a peer that is slow skips what it missed, and
//! one that takes nothing for ten seconds is let go. Peers are known by the uid that the kernel reports: root's and
//! our own, who have places that nobody else can take. Whoever may connect at all may have the table of strategies: he
//! gets its file, can only read it, and is let go ([`tables`]). [`hub`] knows who is there and what he said; readiness
//! and `/metrics` are made of that.
//!
//! The feed is an offer. A node whose scheduler asks over HTTP works the same without it.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use gthulhu_http::{health::Check, shutdown::Shutdown, socket::Socket};
use gthulhu_lib::{strategy::table::StrategyTable, wire::feed::Explanation};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Semaphore, oneshot, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};

use crate::{metrics::Metrics, state::State, told::Told};

mod asks;
mod hub;
mod peer;
mod sets;
mod stream;
mod tables;

use asks::Ask;
use hub::Hub;

/// Connections at a time, the greeting ones included: so many of those who may be scheduler, and so many of others.
const PEERS: usize = 8;

/// How often a socket that could not be made is tried again, and one that was made is looked for.
const LOOK: Duration = Duration::from_secs(5);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How long peers have to take their last word.
const FAREWELL: Duration = Duration::from_secs(2);

/// The feed as others see it. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Feed(Option<Arc<Hub>>);

/// The tasks behind a [`Feed`].
#[derive(Debug)]
pub struct Running(Option<JoinHandle<()>>);

impl Feed {
    /// No feed: schedulers ask over HTTP.
    pub fn off() -> Feed {
        Feed(None)
    }

    /// Listens at `path`, if there is one, until `shutdown`, and gives peers what is offered. A socket that cannot be made is
    /// tried again every few seconds, and readiness says so. Must be called inside a runtime.
    pub fn start(
        path: Option<&Path>,
        offered: Offered,
        metrics: Metrics,
        shutdown: Shutdown,
    ) -> (Feed, Running) {
        let Some(path) = path else { return (Feed::off(), Running(None)) };
        let hub = Arc::new(Hub::new(path.to_owned(), metrics));
        let listening = listen(path.to_owned(), Arc::clone(&hub), offered, shutdown);
        (Feed(Some(hub)), Running(Some(tokio::spawn(listening))))
    }

    /// Whether the scheduler does what it should, as far as the feed can tell.
    pub fn checks(&self) -> Vec<Check> {
        match &self.0 {
            None => vec![Check::ok("scheduler", "deliberately absent: the feed is off")],
            Some(hub) => hub.checks(Instant::now()),
        }
    }

    /// What the kernel holds of a task, as the scheduler tells it; `None` when there is none, or it does not answer.
    pub async fn explain(&self, pid: u32) -> Option<Explanation> {
        let asks = self.0.as_ref()?.asks()?;
        let (answer, answered) = oneshot::channel();
        // Whoever does not take questions is too busy to answer them.
        asks.try_send(Ask { pid, answer }).ok()?;
        timeout(ANSWER, answered).await.ok()?.ok()
    }
}

impl Running {
    /// Waits until the socket is gone and the peers have heard that it is, for a moment at most. To be called after the
    /// shutdown was requested.
    pub async fn end(self) {
        if let Some(listening) = self.0 {
            // A task that panicked has said so.
            let _ = listening.await;
        }
    }
}

/// What peers are given.
#[derive(Debug, Clone)]
pub struct Offered {
    /// Sent to each scheduler and monitor, now and whenever it changes.
    pub held: watch::Receiver<State>,
    /// For readers.
    pub table: Arc<StrategyTable>,
    /// Where schedulers and monitors tell of processes.
    pub told: Told,
}

/// Listens until the shutdown, whatever happens to the socket.
async fn listen(path: PathBuf, hub: Arc<Hub>, offered: Offered, shutdown: Shutdown) {
    let mut peers = JoinSet::new();
    let mut tell = true;
    loop {
        let opened = open(&path);
        hub.listens(opened.as_ref().map(|_| ()).map_err(ToString::to_string));
        match opened {
            Ok((socket, listener)) => {
                tracing::info!(socket = %path.display(), "the feed listens");
                tell = true;
                tokio::select! {
                    () = accept(&socket, &listener, &mut peers, &hub, &offered, &shutdown) => {}
                    () = shutdown.requested() => break,
                }
                tracing::warn!(socket = %path.display(), "the feed's socket is gone; making another");
            }
            Err(error) => {
                if std::mem::take(&mut tell) {
                    tracing::error!(%error, "the feed cannot listen; trying again");
                }
                tokio::select! {
                    () = sleep(LOOK) => {}
                    () = shutdown.requested() => break,
                }
            }
        }
    }
    // The socket is gone; the peers hear of the shutdown by themselves.
    let _ = timeout(FAREWELL, async { while peers.join_next().await.is_some() {} }).await;
}

/// The socket, and the runtime's way to hear of connections.
fn open(path: &Path) -> Result<(Socket, UnixListener), Box<dyn Error + Send + Sync>> {
    let socket = Socket::open(path)?;
    let listener = socket.listener().try_clone()?;
    listener.set_nonblocking(true)?;
    Ok((socket, UnixListener::from_std(listener)?))
}

/// Serves whoever connects, until the socket's file is gone.
async fn accept(
    socket: &Socket,
    listener: &UnixListener,
    peers: &mut JoinSet<()>,
    hub: &Arc<Hub>,
    offered: &Offered,
    shutdown: &Shutdown,
) {
    let [ours, others] = [(); 2].map(|()| Arc::new(Semaphore::new(PEERS)));
    let mut look = tokio::time::interval(LOOK);
    loop {
        let stream: UnixStream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, most likely: others have to end first.
                    tracing::warn!(%error, "the feed cannot take a connection");
                    sleep(LOOK).await;
                    continue;
                }
            },
            _ = look.tick() => {
                while peers.try_join_next().is_some() {}
                if socket.is_in_place() {
                    continue;
                }
                return;
            }
        };
        let is_ours = stream.peer_cred().is_ok_and(|peer| peer::is_ours(peer.uid()));
        let room = if is_ours { &ours } else { &others };
        let Ok(seat) = Arc::clone(room).try_acquire_owned() else {
            hub.refused("there are too many connections");
            continue;
        };
        let (hub, offered, shutdown) = (Arc::clone(hub), offered.clone(), shutdown.clone());
        peers.spawn(async move {
            peer::serve(stream, hub, offered, shutdown).await;
            drop(seat);
        });
    }
}
