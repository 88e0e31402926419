//! Requests that could be read in more than one way, on the wire: one refusal each, and the connection is closed
//! before anything that was smuggled in behind could be answered.

use gthulhu_http::testkit::{Exchange, TestServer};
use tokio::io::AsyncWriteExt;

use crate::app::{App, connect, read_line_body, read_to_end, routes};

/// A request that has an answer of its own, to be seen if it is taken for one.
const SMUGGLED: &str = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n";

/// What follows the request line and the Host header of a POST, and its body.
const HEADERS: [(&str, &str); 35] = [
    // Both ways at once, or one of them twice.
    ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nContent-Length: x\r\n", "0\r\n\r\n"),
    ("Content-Length: 4\r\nContent-Length: 4\r\n", "abcd"),
    ("Content-Length: 4\r\nContent-Length: 5\r\n", "abcd"),
    ("Content-Length: 4\r\ncontent-length: 4\r\n", "abcd"),
    ("Content-Length: 4, 4\r\n", "abcd"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    // Codings that one of two readers may take for chunks.
    ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: x-chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    (" Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    // Lengths that are no number of bytes.
    ("Content-Length: +4\r\n", "abcd"),
    ("Content-Length: -4\r\n", "abcd"),
    ("Content-Length: 0x4\r\n", "abcd"),
    ("Content-Length: 4.0\r\n", "abcd"),
    ("Content-Length: 4 4\r\n", "abcd"),
    ("Content-Length:\r\n", "abcd"),
    ("Content-Length: 18446744073709551616\r\n", "abcd"),
    ("Content-Length : 4\r\n", "abcd"),
    // Ends of lines.
    ("Content-Length: 4\n", "abcd"),
    ("X: y\nContent-Length: 4\r\n", "abcd"),
    ("X: y\rContent-Length: 4\r\n", "abcd"),
    ("X: y\r\n\tfolded\r\nContent-Length: 4\r\n", "abcd"),
    ("no colon\r\nContent-Length: 4\r\n", "abcd"),
];

/// Whole requests, each with the status it must get; none: closed without a word.
const REQUESTS: [(&str, Option<u16>); 31] = [
    // Hosts.
    ("GET /health HTTP/1.1\r\n\r\n", Some(400)),
    ("GET /health HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", Some(400)),
    ("GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", Some(400)),
    ("GET http://x/health HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("GET http://y/health HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("GET * HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    // Request lines.
    ("GET /health\r\n\r\n", Some(400)),
    ("GET /health HTTP/0.9\r\nHost: x\r\n\r\n", Some(400)),
    ("GET /health HTTP/1.2\r\nHost: x\r\n\r\n", Some(400)),
    ("GET /health HTTP/2.0\r\nHost: x\r\n\r\n", Some(400)),
    ("GET /health http/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
    ("GET  /health HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("GET /health HTTP/1.1 \r\nHost: x\r\n\r\n", Some(400)),
    ("GET /hea lth HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    (" GET /health HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("GET\t/health HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("GE\u{e9} /health HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("GET /health\0 HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("GET health HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    // Bytes that have no place in a head.
    ("GET /health HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", Some(400)),
    ("GET /health HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n", Some(400)),
    ("GET /health HTTP/1.1\r\nHost: x\r\nX\u{e9}: a\r\n\r\n", Some(400)),
    ("GET /health HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", Some(400)),
    ("\0\0\0\0\r\n\r\n", Some(400)),
    ("\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n", Some(400)),
    ("GET /health HTTP/1.1\nHost: x\n\n", Some(400)),
    // The hello of TLS, and the version before our time.
    ("\x16\x03\x01\x00\x05hello\r\n\r\n", Some(400)),
    ("POST /api/v1/echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Some(400)),
];

/// Bodies in chunks that are none.
const CHUNKS: [&str; 14] = [
    "x\r\nabcd\r\n0\r\n\r\n",
    "-4\r\nabcd\r\n0\r\n\r\n",
    "+4\r\nabcd\r\n0\r\n\r\n",
    "0x4\r\nabcd\r\n0\r\n\r\n",
    "10000000000000000\r\nabcd\r\n0\r\n\r\n",
    "ffffffffffffffff1\r\nabcd\r\n0\r\n\r\n",
    "4\nabcd\r\n0\r\n\r\n",
    "4\rabcd\r\n0\r\n\r\n",
    "4\r\nabcd0\r\n\r\n",
    "4\r\nabcde\r\n0\r\n\r\n",
    "4;a=\n\r\nabcd\r\n0\r\n\r\n",
    "\r\n4\r\nabcd\r\n0\r\n\r\n",
    "4 4\r\nabcd\r\n0\r\n\r\n",
    "0\r\nX\0Y\r\n\r\n",
];

/// All that comes on a connection until it is closed. Ours stays open: what ends it is the server.
async fn all_of(server: &TestServer, bytes: &str) -> String {
    let mut stream = connect(server.address(), bytes).await;
    // The server may have closed already.
    let _ = stream.write_all(SMUGGLED.as_bytes()).await;
    read_to_end(&mut stream).await
}

fn assert_only(bytes: &str, came: &str, status: u16) {
    assert_eq!(came.matches("HTTP/1.1 ").count(), 1, "one reply to {bytes:?}: {came:?}");
    let reply = Exchange::parse(bytes.lines().next().unwrap_or_default(), came.as_bytes());
    assert_eq!(reply.status, status, "{bytes:?}: {came:?}");
    assert_eq!(reply.header("connection"), Some("close"), "{bytes:?}");
}

#[tokio::test]
async fn heads_that_can_be_read_in_two_ways_are_refused() {
    let server = TestServer::start(App::new(), routes());
    for (headers, body) in HEADERS {
        let request = format!("POST /api/v1/echo HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}");
        assert_only(&request, &all_of(&server, &request).await, 400);
    }
    for (request, status) in REQUESTS {
        let came = all_of(&server, request).await;
        match status {
            Some(status) => assert_only(request, &came, status),
            None => assert_eq!(came, "", "{request:?}"),
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn chunks_that_can_be_read_in_two_ways_are_refused() {
    let server = TestServer::start(App::new(), routes());
    let head = "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunks in CHUNKS {
        let request = format!("{head}{chunks}");
        assert_only(&request, &all_of(&server, &request).await, 400);
    }
    let extension = format!("{head}4;{}\r\nabcd\r\n0\r\n\r\n", "x".repeat(100_000));
    assert_only(&extension, &all_of(&server, &extension).await, 400);
    let trailers = format!("{head}0\r\n{}\r\n", "X: y\r\n".repeat(20_000));
    assert_only(&trailers, &all_of(&server, &trailers).await, 400);
    server.stop().await;
}

#[tokio::test]
async fn a_fault_does_not_touch_the_requests_before_it() {
    let server = TestServer::start(App::new(), routes());
    let sound = "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\nX:\n";
    let faulty = "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n";
    let came = all_of(&server, &format!("{sound}\r\n{sound}{faulty}")).await;
    let statuses: Vec<&str> = came.split("HTTP/1.1 ").skip(1).map(|reply| &reply[..3]).collect();
    assert_eq!(statuses, ["200", "200", "400"], "{came:?}");
    server.stop().await;
}

/// Nothing of this is ambiguous, though not everybody writes it so.
#[tokio::test]
async fn unusual_but_sound_heads_are_answered() {
    let server = TestServer::start(App::new(), routes());
    let one = "POST /api/v1/echo HTTP/1.1\r\nhOST:x\r\nX:\r\ncontent-LENGTH:   4 \t\r\n\r\nabcd";
    let mut stream = connect(server.address(), &format!("\r\n\r\n{one}\r\n{one}")).await;
    for _ in 0..2 {
        assert!(read_line_body(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
    let chunked = "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:  Chunked\r\n\r\n";
    let came = all_of(&server, &format!("{chunked}2\r\nab\r\n2;x=y\r\ncd\r\n0\r\nX: y\r\n\r\n")).await;
    assert_only(chunked, &came, 200);
    server.stop().await;
}
