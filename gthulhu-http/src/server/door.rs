//! What each request of one connection passes, whether hyper has read its head or it is known from the one before.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Request;
use hyper::body::Incoming;

use super::answer::Answer;
use super::clock::Clock;
use super::framing::Verdict;
use super::outline::Outline;
use super::repeats::{Known, Repeats};
use super::request::{self, Entry, Received};
use super::{Shared, repeats};
use crate::call::Head;
use crate::tls::Caller;

/// The way in for the requests of one connection. They come one after the other, in the connection's task.
pub(super) struct Door<A> {
    shared: Arc<Shared<A>>,
    peer: SocketAddr,
    /// Who the caller is, if he had to prove it.
    caller: Option<Caller>,
    clock: Arc<Clock>,
    verdict: Arc<Verdict>,
    /// Heads that hyper has read.
    read: AtomicU64,
    repeats: Mutex<Repeats>,
}

impl<A: Send + Sync + 'static> Door<A> {
    pub(super) fn new(
        shared: Arc<Shared<A>>,
        peer: SocketAddr,
        caller: Option<Caller>,
        clock: Arc<Clock>,
        verdict: Arc<Verdict>,
    ) -> Door<A> {
        let repeats = Mutex::new(Repeats::default());
        Door { shared, peer, caller, clock, verdict, read: AtomicU64::new(0), repeats }
    }

    /// Answers a request whose head hyper has read.
    pub(super) fn answer(&self, incoming: Request<Incoming>) -> Answer {
        let entry = self.entry(self.read.fetch_add(1, Ordering::Relaxed));
        let (parts, body) = incoming.into_parts();
        let (version, repeatable) = (parts.version, repeats::is_repeatable(&parts, &body));
        let outline = Outline::of(&parts.headers, self.shared.limits.headers);
        let mut head = Head::new(parts.method, parts.uri, parts.headers, self.peer);
        head.identity = self.caller.as_ref().map(|caller| Arc::clone(&caller.identity));
        self.repeats().learn(repeatable.then_some((&head, outline)));
        self.begin(Received { head, outline, version, body: Some(body) }, entry)
    }

    /// Answers a request whose bytes are those of the one before; none if they are not, or hyper is not ready for that.
    pub(super) fn answer_again(&self, bytes: &[u8]) -> Option<Answer> {
        let Known { head, outline } = self.repeats().again(bytes)?;
        if !self.clock.is_idle() {
            return None;
        }
        self.clock.bytes_came();
        // It is no head that hyper reads: what counts is whether one before it was ambiguous.
        let entry = self.entry(self.read.load(Ordering::Relaxed));
        Some(self.begin(Received { head, outline, version: http::Version::HTTP_11, body: None }, entry))
    }

    /// Whether hyper has read every head up to this number, and waits for the next.
    pub(super) fn is_at_rest(&self, heads: u64) -> bool {
        self.read.load(Ordering::Relaxed) == heads && self.clock.is_idle()
    }

    pub(super) fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no request will be taken after the one in work.
    pub(super) fn is_stopping(&self) -> bool {
        self.shared.shutdown.is_requested()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    fn begin(&self, received: Received, entry: Entry) -> Answer {
        let (progress, close) = request::answer(&self.shared, entry, received);
        Answer { progress, clock: Arc::clone(&self.clock), close }
    }

    fn entry(&self, head: u64) -> Entry {
        if self.verdict.condemns(head) {
            Entry::Ambiguous
        } else if !self.clock.request_began() {
            Entry::Late
        } else if self.is_refused() {
            Entry::Refused
        } else {
            Entry::Open
        }
    }

    /// Whether a caller who was let in would not be let in any more.
    fn is_refused(&self) -> bool {
        let (Some(tls), Some(caller)) = (&self.shared.tls, &self.caller) else { return false };
        let refused = tls.still_lets_in(caller);
        if let Err(error) = &refused {
            tracing::info!(caller = %caller.identity, %error, "a connection is closed: its caller would not be let in now");
        }
        refused.is_err()
    }
}
