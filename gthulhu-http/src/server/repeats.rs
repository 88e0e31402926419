//! Requests that are, byte for byte, the one before them on their connection: whoever polls sends nothing else.
//!
//! Such a head need not be read again. Only its parsing is spared: the request passes its policy, its handler and
//! everything else as any other does, and nothing of an answer is kept.
//!
//! [`Repeats`] stands for the last bytes that hyper was given, and knows them only if they were one head without a body
//! that began while hyper waited for a request. Anything else makes it forget, so what it knows is never the inside
//! of a body, nor the second half of a head, nor a request that came before the reply to the one before.

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{Method, Version};
use hyper::body::{Body, Incoming};

use super::outline::Outline;
use crate::call::Head;

/// Longer heads are read anew each time. It bounds what a silent connection keeps: such a head twice.
const LONGEST: usize = 4096;

/// Headers by which a request decides over its connection: what they ask for is hyper's to do.
const FOR_HYPER: [HeaderName; 3] = [header::CONNECTION, header::EXPECT, header::UPGRADE];

#[derive(Default)]
pub(super) struct Repeats {
    /// Empty: nothing is known.
    bytes: Vec<u8>,
    /// hyper was given these bytes twice, one after the other, and has still to say what they mean.
    wanted: bool,
    known: Option<Known>,
}

/// A head that was read, and admits of no other answer than a reply.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) head: Head,
    pub(super) outline: Outline,
}

impl Repeats {
    /// hyper gets these bytes. `head`: they are one head without a body, and hyper waited for one.
    pub(super) fn given(&mut self, bytes: &[u8], head: bool) {
        if head && !self.bytes.is_empty() && bytes == self.bytes {
            // What is said once is not worth the copy.
            self.wanted = self.known.is_none();
            return;
        }
        self.bytes.clear();
        self.wanted = false;
        self.known = None;
        if head && bytes.len() <= LONGEST {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// hyper has read a head; none if it is one that only hyper can follow.
    pub(super) fn learn(&mut self, read: Option<(&Head, Outline)>) {
        if std::mem::take(&mut self.wanted) {
            self.known = read.map(|(head, outline)| Known { head: head.detached(), outline });
        }
    }

    /// The head that these bytes are.
    pub(super) fn again(&self, bytes: &[u8]) -> Option<Known> {
        let known = self.known.as_ref().filter(|_| bytes == self.bytes)?;
        Some(Known { head: known.head.again(), outline: known.outline })
    }
}

/// Whether a reply is all that this head asks for.
pub(super) fn is_repeatable(parts: &Parts, body: &Incoming) -> bool {
    parts.method == Method::GET
        && parts.version == Version::HTTP_11
        && body.is_end_stream()
        && !parts.headers.keys().any(|name| FOR_HYPER.contains(name))
}
