//! What the server itself wants to know of a head, gathered in one pass over its headers.

use http::header::{self, HeaderMap};
use http::{StatusCode, Uri, Version};

use super::request::{Entry, SOON};
use crate::error::{HttpError, wants_problem};

/// What is wrong with a head that two readers could take for different requests, and what would be right.
const AMBIGUOUS: &str = "the request can be read in more than one way; send one Content-Length or one \
                         Transfer-Encoding: chunked, and end each line with CRLF";

/// The headers that matter before a route is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not the states of one thing")]
pub(super) struct Outline {
    hosts: usize,
    /// There are more headers than a request may have.
    crowded: bool,
    /// The body is packed: it would have to be unpacked to know its size.
    packed: bool,
    /// The body comes with a transfer coding. Where its chunks end only hyper knows.
    pub(super) chunked: bool,
    /// Errors are wanted as problem details.
    pub(super) problem: bool,
}

impl Outline {
    /// `most`: the number of headers that a request may have.
    pub(super) fn of(headers: &HeaderMap, most: usize) -> Outline {
        let mut outline = Outline { crowded: headers.len() > most, ..Outline::default() };
        for (name, value) in headers {
            if name == header::HOST {
                outline.hosts += 1;
            } else if name == header::TRANSFER_ENCODING {
                outline.chunked = true;
            } else if name == header::CONTENT_ENCODING {
                outline.packed |= !value.as_bytes().eq_ignore_ascii_case(b"identity");
            } else if name == header::ACCEPT {
                outline.problem |= wants_problem(value);
            }
        }
        outline
    }

    /// Refuses what needs no route: a head that two readers could take for different requests, or for requests to
    /// different hosts. The connection is of no use after any of them.
    pub(super) fn first_look(&self, entry: Entry, uri: &Uri, version: Version) -> Result<(), HttpError> {
        let refused = |message: &str| Err(HttpError::bad_request(message).closing());
        match (entry, self.hosts) {
            (Entry::Ambiguous, _) => refused(AMBIGUOUS),
            (Entry::Late, _) => Err(HttpError::unavailable("too many connections are open", SOON).closing()),
            (Entry::Refused, _) => {
                Err(HttpError::unauthorized("the client certificate is not accepted any more").closing())
            }
            (Entry::Open, _) if self.crowded => {
                let message = "the request has too many headers";
                Err(HttpError::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message).closing())
            }
            (Entry::Open, 0) if version == Version::HTTP_11 => refused("exactly one Host header is required"),
            (Entry::Open, 2..) => refused("exactly one Host header is required"),
            // A target with a host of its own is for proxies, and would be a second answer to which host is meant.
            (Entry::Open, _) if uri.authority().is_some() || !uri.path().starts_with('/') => {
                refused("the request target must be a path")
            }
            (Entry::Open, _) => Ok(()),
        }
    }

    /// Refuses a body that is packed.
    pub(super) fn check_coding(&self) -> Result<(), HttpError> {
        if self.packed {
            let message = "a Content-Encoding is not supported";
            return Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).closing());
        }
        Ok(())
    }
}
