//! One connection: when it must speak, how long it may be silent, and how it ends.
//!
//! hyper has a timer for headers only, and it does not run before the first byte. So a [`Clock`] keeps one deadline
//! for the connection, moved by what happens on it; the connection is dropped when it passes. Each move happens
//! while the connection is being polled, so looking at the deadline after each poll misses none.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::clock::Clock;
use super::framing::{Framing, Verdict};
use super::request::Entry;
use super::stream::WatchedStream;
use super::{Shared, request};

/// The smallest buffer that hyper takes.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// Serves requests until the connection ends, says too little for too long, or the server stops.
pub(super) async fn run<A: Send + Sync + 'static>(
    shared: Arc<Shared<A>>,
    stream: TcpStream,
    peer: SocketAddr,
    clock: Arc<Clock>,
) {
    // Replies are written at once; only a socket that is already gone refuses this.
    let _ = stream.set_nodelay(true);
    let verdict = Arc::new(Verdict::new());
    let requests = AtomicU64::new(0);
    let service = service_fn(|incoming| {
        let entry = match requests.fetch_add(1, Ordering::Relaxed) {
            head if verdict.condemns(head) => Entry::Ambiguous,
            _ if !clock.request_began() => Entry::Late,
            _ => Entry::Open,
        };
        let (shared, clock) = (Arc::clone(&shared), Arc::clone(&clock));
        async move {
            let response = request::answer(shared, peer, entry, incoming).await;
            clock.reply_made();
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(shared.limits.headers)
        .max_buf_size(shared.limits.header_bytes.max(SMALLEST_BUFFER));
    let framing = Framing::new(Arc::clone(&verdict));
    let io = TokioIo::new(WatchedStream { stream, clock: Arc::clone(&clock), framing });
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut stop = pin!(shared.shutdown.requested());
    let mut stopping = false;
    let mut timer = pin!(sleep_until(Instant::now()));
    poll_fn(|context| {
        if !stopping && stop.as_mut().poll(context).is_ready() {
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
        let Some(deadline) = clock.deadline() else { return Poll::Pending };
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(context)
    })
    .await;
}
