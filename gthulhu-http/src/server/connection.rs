//! One connection: when it must speak, how long it may be silent, and how it ends.
//!
//! hyper has a timer for headers only, and it does not run before the first byte. So a [`Clock`] keeps one deadline
//! for the connection, moved by what happens on it; the connection is dropped when it passes. Each move happens
//! while the connection is being polled, so looking at the deadline after each poll misses none.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::clock::Clock;
use super::door::Door;
use super::framing::{Framing, Verdict};
use super::stream::WatchedStream;
use crate::tls::{Caller, Transport};

/// The smallest buffer that hyper takes.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// How many headers hyper takes if it is not told a number.
const USUAL_HEADERS: usize = 100;

/// Serves requests until the connection ends, says too little for too long, or the server stops.
pub(super) async fn run<A: Send + Sync + 'static>(
    shared: Arc<Shared<A>>,
    stream: TcpStream,
    peer: SocketAddr,
    clock: Arc<Clock>,
) {
    // Replies are written at once; only a socket that is already gone refuses this.
    let _ = stream.set_nodelay(true);
    let Some((stream, caller)) = shake_hands(&shared, stream, peer, &clock).await else { return };
    let verdict = Arc::new(Verdict::new());
    let framing = Framing::new(Arc::clone(&verdict));
    let door = Arc::new(Door::new(Arc::clone(&shared), peer, caller, Arc::clone(&clock), verdict));
    let service = service_fn(|incoming| door.answer(incoming));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(shared.limits.header_bytes.max(SMALLEST_BUFFER));
    if shared.limits.headers > USUAL_HEADERS {
        // Told a number, hyper makes its table for each request anew. A smaller one is kept by us.
        builder.max_headers(shared.limits.headers);
    }
    let io = TokioIo::new(WatchedStream::new(stream, framing, Arc::clone(&door)));
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut stop = pin!(shared.shutdown.requested());
    let mut stopping = false;
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut listening = false;
    poll_fn(|context| {
        if !listening {
            // Once, so that being asked to stop wakes this task. From then on a look each time is enough.
            listening = true;
            let _ = stop.as_mut().poll(context);
        }
        if !stopping && shared.shutdown.is_requested() {
            stopping = true;
            // Ends an idle connection now and a busy one after its reply.
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(outcome) = connection.as_mut().poll(context) {
            if let Err(error) = outcome {
                // The caller's doing: broken framing, which hyper has answered, or a connection cut short.
                tracing::debug!(%peer, %error, "a connection ended early");
            }
            return Poll::Ready(());
        }
        // Deadlines move with each request, nearly always away: the timer follows when it has run out.
        while let Some(deadline) = clock.deadline() {
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await;
}

/// The stream as requests come over it, and who sends them if he had to say. None: it came to nothing.
async fn shake_hands<A>(
    shared: &Shared<A>,
    stream: TcpStream,
    peer: SocketAddr,
    clock: &Clock,
) -> Option<(Transport, Option<Caller>)> {
    let Some(tls) = &shared.tls else { return Some((Transport::Plain(stream), None)) };
    let shaken = async {
        match tls.accept(stream).await {
            Ok((stream, caller)) => Some((Transport::Tls { stream: Box::new(stream), _place: None }, caller)),
            Err(error) => {
                // Whoever is refused hears why; here it is of interest to those who look for it.
                tracing::info!(%peer, %error, "a TLS handshake failed");
                None
            }
        }
    };
    tokio::select! {
        shaken = shaken => shaken,
        () = until(clock) => None,
        () = shared.shutdown.requested() => None,
    }
}

async fn until(clock: &Clock) {
    match clock.deadline() {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
