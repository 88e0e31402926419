//! The bytes of a connection, on their way to hyper and from it: the clock is told that some came, that some go and
//! that all have gone; the framing of what comes is looked at. A request that is the one before it once more does not
//! get as far as hyper: it is answered here, while hyper waits for another.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer::Answer;
use super::door::Door;
use super::encode;
use super::framing::Framing;
use crate::tls::Transport;

/// The longest reply, with its head, that is put together before it is sent: up to some thousand bytes it costs the
/// system more to gather the parts than us to copy them.
const JOINED: usize = 4096;

thread_local! {
    static WHOLE: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(JOINED));
}

pub(super) struct WatchedStream<A> {
    stream: Transport,
    framing: Framing,
    door: Arc<Door<A>>,
    own: Own,
}

/// What is being answered here. While it is, hyper neither reads nor writes: it waits for the next head.
enum Own {
    Nothing,
    Making(Answer),
    /// A reply with its head, of which so many bytes were sent.
    Sending {
        head: Vec<u8>,
        body: Bytes,
        sent: usize,
        /// The connection is of no use afterwards.
        close: bool,
    },
    /// The last reply was sent.
    Over,
}

impl<A: Send + Sync + 'static> WatchedStream<A> {
    pub(super) fn new(stream: Transport, framing: Framing, door: Arc<Door<A>>) -> WatchedStream<A> {
        WatchedStream { stream, framing, door, own: Own::Nothing }
    }

    /// Goes on with what is being answered here, to its end.
    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.own {
                Own::Nothing | Own::Over => return Poll::Ready(Ok(())),
                Own::Making(answer) => {
                    let mut reply = ready!(answer.poll_reply(cx));
                    if self.door.is_stopping() {
                        reply = reply.closing();
                    }
                    let close = reply.headers().contains_key(header::CONNECTION);
                    let head = encode::head(&reply);
                    self.own = Own::Sending { head, body: reply.body().clone(), sent: 0, close };
                }
                Own::Sending { head, body, sent, close } => {
                    while let Some(parts) = left(head, body, *sent) {
                        match ready!(send(&mut self.stream, cx, &parts))? {
                            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                            more => *sent += more,
                        }
                    }
                    ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
                    self.own = if *close { Own::Over } else { Own::Nothing };
                    self.door.clock().bytes_gone();
                }
            }
        }
    }

    /// Bytes on their way to hyper.
    fn watch(&mut self, came: &[u8]) {
        let before = self.framing.between_requests().filter(|&heads| self.door.is_at_rest(heads));
        self.door.clock().bytes_came();
        self.framing.watch(came);
        let one_head = before.is_some_and(|heads| self.framing.between_requests() == Some(heads + 1));
        self.door.repeats().given(came, one_head);
    }
}

/// What is to be sent of a reply; none when nothing is left.
fn left<'a>(head: &'a [u8], body: &'a [u8], sent: usize) -> Option<[IoSlice<'a>; 2]> {
    let of_body = sent.saturating_sub(head.len());
    let parts = [&head[sent.min(head.len())..], &body[of_body..]];
    parts.iter().any(|part| !part.is_empty()).then(|| parts.map(IoSlice::new))
}

/// Sends some of these parts, all in one piece if they are short.
fn send(stream: &mut Transport, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    if parts.iter().map(|part| part.len()).sum::<usize>() > JOINED {
        return stream.poll_write_vectored(cx, parts);
    }
    WHOLE.with_borrow_mut(|whole| {
        whole.clear();
        for part in parts {
            whole.extend_from_slice(part);
        }
        stream.poll_write(cx, whole)
    })
}

impl<A: Send + Sync + 'static> AsyncRead for WatchedStream<A> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            ready!(self.poll_own(cx))?;
            if matches!(self.own, Own::Over) {
                // hyper takes it for the end of what the caller has to say, and closes.
                return Poll::Ready(Ok(()));
            }
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
            let came = &buf.filled()[before..];
            if came.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let Some(answer) = self.door.answer_again(came) else {
                self.watch(came);
                return Poll::Ready(Ok(()));
            };
            self.own = Own::Making(answer);
            buf.set_filled(before);
        }
    }
}

impl<A: Send + Sync + 'static> AsyncWrite for WatchedStream<A> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.door.clock().bytes_go();
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    /// hyper asks for this only when none of its bytes are left.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if matches!(self.own, Own::Nothing) {
            self.door.clock().bytes_gone();
        }
        Poll::Ready(Ok(()))
    }

    /// A reply of ours that is on its way is sent before.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_own(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.door.clock().bytes_go();
        send(&mut self.stream, cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
