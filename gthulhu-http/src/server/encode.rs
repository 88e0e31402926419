//! The head of a reply as hyper writes it, for replies that do not pass through hyper.

use std::cell::RefCell;
use std::io::Write;

use http::{StatusCode, header};

use crate::reply::Reply;
use crate::time::{http_date, unix_now};

/// What the head of a usual reply takes.
const USUAL: usize = 256;

thread_local! {
    /// The current second and its text.
    static DATE: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// Status line and headers, up to and with the empty line.
pub(super) fn head(reply: &Reply) -> Vec<u8> {
    let mut head = Vec::with_capacity(USUAL);
    let status = reply.status();
    for part in ["HTTP/1.1 ", status.as_str(), " ", status.canonical_reason().unwrap_or("<none>"), "\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    for (name, value) in reply.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    if status != StatusCode::NO_CONTENT {
        // Writing to memory cannot fail.
        let _ = write!(head, "{}: {}\r\n", header::CONTENT_LENGTH, reply.body().len());
    }
    DATE.with_borrow_mut(|(second, text)| {
        let now = unix_now();
        if *second != now {
            (*second, *text) = (now, http_date(now));
        }
        for part in ["date: ", text, "\r\n\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
    });
    head
}
