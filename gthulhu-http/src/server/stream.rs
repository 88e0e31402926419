//! The bytes of a connection, on their way to hyper and from it: the clock is told that some came, that some go and
//! that all have gone; the framing of what comes is looked at.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::clock::Clock;
use super::framing::Framing;
use crate::tls::Transport;

/// The longest reply, with its head, that is put together before it is sent: up to some thousand bytes it costs the
/// system more to gather the parts than us to copy them.
const JOINED: usize = 4096;

thread_local! {
    static WHOLE: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(JOINED));
}

pub(super) struct WatchedStream {
    pub(super) stream: Transport,
    pub(super) clock: Arc<Clock>,
    pub(super) framing: Framing,
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let came = &buf.filled()[before..];
        if !came.is_empty() {
            self.clock.bytes_came();
            self.framing.watch(came);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.clock.bytes_go();
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    /// hyper asks for this only when none of its bytes are left.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.clock.bytes_gone();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.clock.bytes_go();
        let stream = Pin::new(&mut self.stream);
        if data.iter().map(|part| part.len()).sum::<usize>() > JOINED {
            return stream.poll_write_vectored(cx, data);
        }
        WHOLE.with_borrow_mut(|whole| {
            whole.clear();
            for part in data {
                whole.extend_from_slice(part);
            }
            stream.poll_write(cx, whole)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
