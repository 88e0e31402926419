//! The listener: connections in, requests through their checks, replies out, and an end that finishes what began.
//!
//! ```text
//! accept (cap, back-off) -> connection (first byte, headers, idle) -> one task for each request:
//!     framing -> route -> capacity -> policy -> body (limit, deadline) -> handler (deadline) -> reply, access line
//! ```
//!
//! Nothing of a body is read before the policy has admitted the head, and no step waits without a deadline.

mod access;
mod bind;
mod connection;
mod request;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::limits::Limits;
use crate::router::Router;
use crate::shutdown::Shutdown;

pub use bind::{BindError, bind};

/// How long accepting pauses when the system refuses a descriptor or memory.
const STARVED_PAUSE: Duration = Duration::from_millis(100);

/// What every connection of one listener shares.
struct Shared<A> {
    app: Arc<A>,
    router: Router<A>,
    limits: Limits,
    in_flight: Semaphore,
    shutdown: Shutdown,
}

/// Serves `listener` until `shutdown` is requested, then finishes the requests in flight, for `limits.drain` at most.
///
/// From the moment of the request to stop new connections are refused, and open ones are closed as soon as they
/// have no request in flight.
pub async fn serve<A: Send + Sync + 'static>(
    listener: TcpListener,
    app: Arc<A>,
    router: Router<A>,
    limits: Limits,
    shutdown: Shutdown,
) {
    let in_flight = Semaphore::new(limits.in_flight as usize);
    let connections = Arc::new(Semaphore::new(limits.connections));
    let mut acceptor = Acceptor { listener, connections, starved: false };
    let shared = Arc::new(Shared { app, router, limits, in_flight, shutdown });
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shared.shutdown.requested() => break,
            // Reaps finished connections, so that the set holds open ones only.
            Some(_) = open.join_next() => {}
            (stream, peer, permit) = acceptor.next() => {
                let shared = Arc::clone(&shared);
                open.spawn(async move {
                    connection::run(shared, stream, peer).await;
                    drop(permit);
                });
            }
        }
    }
    drop(acceptor);
    drain(&shared, open).await;
}

/// Waits for the open connections, and for requests whose caller has gone away.
async fn drain<A>(shared: &Shared<A>, mut open: JoinSet<()>) {
    let finish = async {
        while open.join_next().await.is_some() {}
        // All permits free means that no request is being worked on.
        let _ = shared.in_flight.acquire_many(shared.limits.in_flight).await;
    };
    if tokio::time::timeout(shared.limits.drain, finish).await.is_err() {
        let busy = shared.limits.in_flight as usize - shared.in_flight.available_permits();
        tracing::warn!(
            connections = open.len(),
            requests = busy,
            "stopped before all requests were finished"
        );
        open.shutdown().await;
    }
}

/// Takes connections off the listener, no faster than the limits and the system allow.
struct Acceptor {
    listener: TcpListener,
    connections: Arc<Semaphore>,
    starved: bool,
}

impl Acceptor {
    /// The next connection, with its place among the open ones. Safe to drop while waiting.
    async fn next(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        let Ok(permit) = Arc::clone(&self.connections).acquire_owned().await else {
            return std::future::pending().await; // The semaphore is never closed.
        };
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.starved = false;
                    return (stream, peer, permit);
                }
                Err(error) if gone_before_accepted(&error) => {}
                Err(error) => {
                    // Without a pause this would spin: the connection stays in the queue and accepting fails again.
                    if !self.starved {
                        tracing::warn!(%error, "cannot accept connections; trying again");
                    }
                    self.starved = true;
                    tokio::time::sleep(STARVED_PAUSE).await;
                }
            }
        }
    }
}

/// Whether the failure concerns one connection only, which its caller has already given up.
fn gone_before_accepted(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
