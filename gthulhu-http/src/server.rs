//! The listener: connections in, requests through their checks, replies out, and an end that finishes what began.
//!
//! ```text
//! accept (room, back-off) -> TLS, if any -> connection (first byte, headers, idle) -> each request, in a task of its own if it waits:
//!     framing -> route -> capacity -> policy -> body (limit, deadline) -> handler (deadline) -> reply, access line
//! ```
//!
//! Nothing of a body is read before the policy has admitted the head, and no step waits without a deadline.

mod access;
mod answer;
mod bind;
mod bodies;
mod body;
mod clock;
mod connection;
mod connections;
mod descriptors;
mod door;
mod encode;
mod framing;
mod outline;
mod repeats;
mod request;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::limits::Limits;
use crate::router::Router;
use crate::shutdown::Shutdown;
use crate::tls::ServerTls;
use bodies::SlowBodies;
use connections::Connections;

pub use bind::{BindError, bind, check_address};

/// How long accepting pauses when the system refuses a descriptor or memory.
const STARVED_PAUSE: Duration = Duration::from_millis(100);

/// How often a new connection that finds no room looks for it again.
const CROWDED_PAUSE: Duration = Duration::from_millis(20);

/// What every connection of one listener shares.
struct Shared<A> {
    app: Arc<A>,
    router: Router<A>,
    limits: Limits,
    in_flight: Arc<Semaphore>,
    slow_bodies: SlowBodies,
    shutdown: Shutdown,
    tls: Option<ServerTls>,
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
    serve_with(listener, None, app, router, limits, shutdown).await;
}

/// As [`serve`], over TLS if `tls` is some. The handshake counts as the time for the first byte.
pub async fn serve_with<A: Send + Sync + 'static>(
    listener: TcpListener,
    tls: Option<ServerTls>,
    app: Arc<A>,
    router: Router<A>,
    limits: Limits,
    shutdown: Shutdown,
) {
    let most = descriptors::connections(limits.connections);
    let in_flight = Arc::new(Semaphore::new(limits.in_flight as usize));
    // A slow body holds its connection: leave most of them to others.
    let slow_bodies = SlowBodies::new(limits.slow_bodies.min(most / 2), limits.slow_body_bytes);
    let shared = Arc::new(Shared { app, router, limits, in_flight, slow_bodies, shutdown, tls });
    let mut connections = Connections::new(most);
    let mut acceptor = Acceptor { listener, starved: false };
    let mut next = None;
    loop {
        if !connections.is_full()
            && let Some(accepted) = next.take()
        {
            connections.start(&shared, accepted);
        }
        tokio::select! {
            biased;
            () = shared.shutdown.requested() => break,
            Some(()) = connections.ended() => {}
            accepted = acceptor.next(), if next.is_none() => {
                next = accepted;
                if next.is_none() {
                    connections.starved();
                } else if connections.is_full() {
                    connections.make_room();
                }
            }
            () = sleep(CROWDED_PAUSE), if next.is_some() => connections.make_room(),
        }
    }
    drop((acceptor, next));
    drain(&shared, connections).await;
}

/// Waits for the open connections, and for requests whose caller has gone away.
async fn drain<A>(shared: &Shared<A>, mut connections: Connections) {
    let finish = async {
        while connections.ended().await.is_some() {}
        // All permits free means that no request is being worked on.
        let _ = shared.in_flight.acquire_many(shared.limits.in_flight).await;
    };
    if tokio::time::timeout(shared.limits.drain, finish).await.is_err() {
        let busy = shared.limits.in_flight as usize - shared.in_flight.available_permits();
        tracing::warn!(
            connections = connections.len(),
            requests = busy,
            "stopped before all requests were finished"
        );
        connections.shutdown().await;
    }
}

/// Takes connections off the listener, no faster than the system allows.
struct Acceptor {
    listener: TcpListener,
    starved: bool,
}

impl Acceptor {
    /// The next connection; none, after a pause, when the system has no descriptor or memory for it.
    /// Safe to drop while waiting.
    async fn next(&mut self) -> Option<(TcpStream, SocketAddr)> {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.starved = false;
                    return Some(accepted);
                }
                Err(error) if gone_before_accepted(&error) => {}
                Err(error) => {
                    // Without a pause this would spin: the connection stays in the queue and accepting fails again.
                    if !self.starved {
                        tracing::warn!(%error, "cannot accept connections; trying again");
                    }
                    self.starved = true;
                    sleep(STARVED_PAUSE).await;
                    return None;
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
