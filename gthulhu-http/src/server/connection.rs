//! One connection: when it must speak, how long it may be silent, and how it ends.
//!
//! hyper has a timer for headers only, and it does not run before the first byte. So a [`Clock`] keeps one deadline
//! for the connection, moved by what happens on it; the connection is dropped when it passes. Each move happens
//! while the connection is being polled, so looking at the deadline after each poll misses none.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, ready};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::answer::Answer;
use super::clock::Clock;
use super::framing::{Framing, Verdict};
use super::request::Entry;
use super::stream::WatchedStream;
use super::{Shared, request};

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
    let verdict = Arc::new(Verdict::new());
    let requests = AtomicU64::new(0);
    let service = service_fn(|incoming| {
        let entry = match requests.fetch_add(1, Ordering::Relaxed) {
            head if verdict.condemns(head) => Entry::Ambiguous,
            _ if !clock.request_began() => Entry::Late,
            _ => Entry::Open,
        };
        let (progress, close) = request::answer(&shared, peer, entry, incoming);
        Answer { progress, clock: Arc::clone(&clock), close }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(shared.limits.header_bytes.max(SMALLEST_BUFFER));
    if shared.limits.headers > USUAL_HEADERS {
        // Told a number, hyper makes its table for each request anew. A smaller one is kept by us.
        builder.max_headers(shared.limits.headers);
    }
    let framing = Framing::new(Arc::clone(&verdict));
    let io = TokioIo::new(WatchedStream { stream, clock: Arc::clone(&clock), framing });
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
