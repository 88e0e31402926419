//! How much a caller may ask of the server, and how long each step may take.

use std::time::Duration;

/// The limits of one listener. A route may take larger bodies than `body_bytes`
/// (see [`Route::body_limit`](crate::route::Route::body_limit)); everything else holds for all routes.
///
/// There is no limit on the connections of one address. Callers behind one proxy or one address translation, and
/// everything on this machine, share an address, so that such a limit would let one of them lock out the others;
/// and who owns a range of addresses would not feel it. Instead, connections that do nothing give way to those who
/// come, whoever they are.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request's first line and headers; at least 8 KiB whatever is asked for. Beyond: 431.
    pub header_bytes: usize,
    /// Number of headers of a request. Beyond: 431.
    pub headers: usize,
    /// Bytes of a request body. Beyond: 413.
    pub body_bytes: usize,
    /// Open connections, fewer where the process may not open so many files. For a further one, those that have
    /// waited longest for their caller are closed; while all are at work it waits in the kernel's queue.
    pub connections: usize,
    /// Requests being worked on; further ones get 503 with `Retry-After`.
    pub in_flight: u32,
    /// Bodies that are still coming and did not come with their head; at most half of the connections. For a
    /// further one, the one that has taken longest is refused with 503 and `Retry-After`.
    pub slow_bodies: usize,
    /// Bytes of such bodies that are kept until the rest has come, all together; the same holds beyond it.
    pub slow_body_bytes: usize,
    /// From the first moment of a connection, or the first byte of a later request, to the end of the headers.
    /// A connection that says nothing is closed after it.
    pub first_byte: Duration,
    /// From the end of the headers to the end of the body. Beyond: 408.
    pub body: Duration,
    /// From the end of the headers to the reply. Beyond: the handler is dropped and the caller gets 503.
    pub request: Duration,
    /// How long a caller may take to take in a reply; and how long the connection may then stay open until the next
    /// request.
    pub idle: Duration,
    /// How long requests in flight may go on after the server was asked to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            header_bytes: 16 * 1024,
            headers: 64,
            body_bytes: 256 * 1024,
            connections: 4096,
            in_flight: 512,
            slow_bodies: 1024,
            slow_body_bytes: 16 * 1024 * 1024,
            first_byte: Duration::from_secs(10),
            body: Duration::from_secs(15),
            request: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(25),
        }
    }
}
