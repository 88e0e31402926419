//! How requests are framed on the wire, watched beside hyper.
//!
//! A proxy in front of us and we must agree where each request ends; what only one of them understands is a way to
//! smuggle a second request in. hyper is lenient in what no longer shows once it has parsed a head: it merges
//! equal lengths, drops a length beside a transfer coding, and takes a bare line feed for the end of a line. So
//! [`Framing`] looks at the bytes on their way in, once and without keeping them, and remembers the first head that
//! could be read in two ways. hyper's own rules stay in force: this only ever refuses more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memchr;

/// What is longer than this cannot be the name of a header that matters here.
const NAME_MAX: usize = b"transfer-encoding".len();
/// The longest length in digits, and the carriage return after it.
const VALUE_MAX: usize = 21;

/// The state of the scan. All of it, so that bytes may come in pieces of any size.
#[derive(Debug)]
pub(super) struct Framing {
    at: At,
    /// The byte before the ones that come next.
    last: u8,
    name: Text<NAME_MAX>,
    value: Text<VALUE_MAX>,
    length: Option<u64>,
    chunked: bool,
    /// Heads that have come to their end.
    heads: u64,
    verdict: Arc<Verdict>,
}

/// The number of the first head, from 0, that is not framed in exactly one way.
#[derive(Debug)]
pub(super) struct Verdict(AtomicU64);

impl Verdict {
    /// Nothing was found so far.
    pub(super) fn new() -> Verdict {
        Verdict(AtomicU64::new(u64::MAX))
    }

    /// Whether this head, or one before it, can be read in two ways. Final once the head has come in.
    pub(super) fn condemns(&self, head: u64) -> bool {
        // Head and verdict are seen by the same task: there is nothing to order.
        self.0.load(Ordering::Relaxed) <= head
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before a request; empty lines are passed over.
    Start,
    /// In a line that does not matter, its end excepted.
    Line,
    /// In the name of a header, or at the line that ends the head.
    Name,
    /// In the value of a header that matters.
    Value(Header),
    /// In a body with this many bytes to come.
    Body(u64),
    /// Nothing that follows is a head of ours: the connection is closed after this request.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    Length,
    Coding,
}

impl Framing {
    /// The scan of a new connection, which tells `verdict` what it finds.
    pub(super) fn new(verdict: Arc<Verdict>) -> Framing {
        Framing {
            at: At::Start,
            last: 0,
            name: Text::new(),
            value: Text::new(),
            length: None,
            chunked: false,
            heads: 0,
            verdict,
        }
    }

    /// How many heads have come to their end, if nothing has come since the last one and the body after it.
    pub(super) fn between_requests(&self) -> Option<u64> {
        (self.at == At::Start).then_some(self.heads)
    }

    /// Looks at the next bytes of the connection.
    pub(super) fn watch(&mut self, mut bytes: &[u8]) {
        while let Some(&first) = bytes.first() {
            let was_body = matches!(self.at, At::Body(_));
            let taken = match self.at {
                At::Over => return,
                At::Line => self.line(bytes),
                At::Body(left) => self.body(left, bytes.len()),
                At::Start => self.start(first),
                At::Name => self.name(first),
                At::Value(header) => self.value(header, first),
            };
            if taken > 0 {
                // What ends a body ends no line.
                self.last = if was_body { 0 } else { bytes[taken - 1] };
            }
            bytes = &bytes[taken..];
        }
    }

    fn start(&mut self, byte: u8) -> usize {
        match byte {
            b'\r' => 1,
            b'\n' => self.end_of_line(self.last, At::Start),
            _ => {
                self.at = At::Line;
                0
            }
        }
    }

    fn line(&mut self, bytes: &[u8]) -> usize {
        let Some(end) = memchr(b'\n', bytes) else { return bytes.len() };
        let before = end.checked_sub(1).map_or(self.last, |before| bytes[before]);
        self.end_of_line(before, At::Name);
        end + 1
    }

    fn name(&mut self, byte: u8) -> usize {
        match byte {
            b':' => {
                self.at = match self.name.bytes() {
                    Some(name) if name.eq_ignore_ascii_case(b"content-length") => At::Value(Header::Length),
                    Some(name) if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                        At::Value(Header::Coding)
                    }
                    _ => At::Line,
                };
            }
            // No header that matters begins like this; most headers do.
            byte if self.name.is_empty() && !matches!(byte, b'c' | b'C' | b't' | b'T' | b'\r' | b'\n') => {
                self.at = At::Line;
                return 0;
            }
            // The empty line; anything before it would be a header without a colon.
            b'\n' if self.name.bytes() == Some(b"\r") => self.end_of_head(),
            b'\n' => self.refuse(),
            byte => self.name.push(byte),
        }
        1
    }

    fn value(&mut self, header: Header, byte: u8) -> usize {
        match byte {
            b'\n' => {
                self.end_of_line(self.last, At::Name);
                self.header(header);
                self.value.clear();
            }
            b' ' | b'\t' if self.value.is_empty() => {}
            byte => self.value.push(byte),
        }
        1
    }

    fn body(&mut self, left: u64, available: usize) -> usize {
        // What does not fit is more than is available.
        let taken = available.min(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - taken as u64;
        self.at = if left == 0 { At::Start } else { At::Body(left) };
        taken
    }

    fn end_of_line(&mut self, before: u8, next: At) -> usize {
        self.name.clear();
        self.at = next;
        if before != b'\r' {
            self.refuse();
        }
        1
    }

    /// The value is complete, its line's end included.
    fn header(&mut self, header: Header) {
        let value = self.value.bytes().unwrap_or_default().trim_ascii_end();
        match header {
            Header::Length if self.length.is_none() => match digits(value) {
                Some(length) => self.length = Some(length),
                None => self.refuse(),
            },
            Header::Coding if !self.chunked && value.eq_ignore_ascii_case(b"chunked") => self.chunked = true,
            // A second one, or one that is not understood. Equal ones are refused too: who counts?
            Header::Length | Header::Coding => self.refuse(),
        }
    }

    fn end_of_head(&mut self) {
        self.name.clear();
        self.at = match (self.chunked, self.length.take()) {
            (true, Some(_)) => return self.refuse(),
            // Only hyper follows chunks; the connection is not used again after them.
            (true, None) => At::Over,
            (false, None | Some(0)) => At::Start,
            (false, Some(length)) => At::Body(length),
        };
        self.heads += 1;
    }

    fn refuse(&mut self) {
        self.verdict.0.fetch_min(self.heads, Ordering::Relaxed);
        self.at = At::Over;
    }
}

/// A length is digits and nothing else: no sign, no list, no space within.
fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// A few bytes, or the knowledge that there were more.
#[derive(Debug)]
struct Text<const MAX: usize> {
    bytes: [u8; MAX],
    length: usize,
}

impl<const MAX: usize> Text<MAX> {
    fn new() -> Self {
        Text { bytes: [0; MAX], length: 0 }
    }

    fn push(&mut self, byte: u8) {
        if let Some(free) = self.bytes.get_mut(self.length) {
            *free = byte;
        }
        // One more than fits stands for all that is longer.
        self.length = (self.length + 1).min(MAX + 1);
    }

    fn clear(&mut self) {
        self.length = 0;
    }

    fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length)
    }
}

#[cfg(test)]
mod tests;
