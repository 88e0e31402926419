//! One connection: when it must speak, how long it may be silent, and how it ends.
//!
//! hyper has a timer for headers only, and it does not run before the first byte. So a [`Clock`] keeps one deadline
//! for the connection, moved by what happens on it; the connection is dropped when it passes. Each move happens
//! while the connection is being polled, so looking at the deadline after each poll misses none.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::{Shared, request};
use crate::limits::Limits;

/// The smallest buffer that hyper takes.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// Serves requests until the connection ends, says too little for too long, or the server stops.
pub(super) async fn run<A: Send + Sync + 'static>(
    shared: Arc<Shared<A>>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    // Replies are written at once; only a socket that is already gone refuses this.
    let _ = stream.set_nodelay(true);
    let clock = Arc::new(Clock::new(&shared.limits));
    let service = service_fn(|incoming| {
        clock.request_began();
        let (shared, clock) = (Arc::clone(&shared), Arc::clone(&clock));
        async move {
            let response = request::answer(shared, peer, incoming).await;
            clock.request_ended();
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(shared.limits.headers)
        .max_buf_size(shared.limits.header_bytes.max(SMALLEST_BUFFER));
    let io = TokioIo::new(TimedStream { stream, clock: Arc::clone(&clock) });
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

/// The moment by which something must happen on a connection.
struct Clock {
    phase: Mutex<Phase>,
    head: Duration,
    idle: Duration,
}

#[derive(Clone, Copy)]
enum Phase {
    /// Headers must be complete by then.
    Head(Instant),
    /// A request is being worked on; it has deadlines of its own.
    Busy,
    /// The reply must be taken in and the next request begun by then.
    Idle(Instant),
}

impl Clock {
    fn new(limits: &Limits) -> Clock {
        let phase = Mutex::new(Phase::Head(Instant::now() + limits.first_byte));
        Clock { phase, head: limits.first_byte, idle: limits.idle }
    }

    fn deadline(&self) -> Option<Instant> {
        match *self.phase.lock().unwrap_or_else(PoisonError::into_inner) {
            Phase::Head(by) | Phase::Idle(by) => Some(by),
            Phase::Busy => None,
        }
    }

    fn set(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    fn request_began(&self) {
        self.set(Phase::Busy);
    }

    fn request_ended(&self) {
        self.set(Phase::Idle(Instant::now() + self.idle));
    }

    /// The first byte after a pause begins a head; later ones do not lengthen its time.
    fn bytes_came(&self) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if let Phase::Idle(_) = *phase {
            *phase = Phase::Head(Instant::now() + self.head);
        }
    }
}

/// A stream that tells the clock when bytes come in.
struct TimedStream {
    stream: TcpStream,
    clock: Arc<Clock>,
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.clock.bytes_came();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
