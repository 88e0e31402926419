//! Against raw sockets, which can misbehave in ways that no server of ours would.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// Deadlines long enough for a loaded machine; the tests that want to see one pass take [`within`].
fn patient() -> Client {
    Client::new(ClientOptions {
        total: Duration::from_secs(60),
        max_response: 1 << 16,
        ..ClientOptions::default()
    })
}

fn within(total: Duration) -> Client {
    Client::new(ClientOptions { total, ..ClientOptions::default() })
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1/x?y=1", listener.local_addr().unwrap());
    (listener, url)
}

/// Reads one request: head and, by its content-length, body.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "hung up after {text:?}");
    }
}

/// Answers the first request with these bytes and hangs up; gives the request.
fn answer(listener: TcpListener, reply: impl Into<Vec<u8>>) -> JoinHandle<String> {
    let reply = reply.into();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        stream.write_all(&reply).await.unwrap();
        request
    })
}

#[tokio::test]
async fn a_request_goes_out_whole_and_its_response_comes_back_whole() {
    let (listener, url) = listener().await;
    let server = answer(listener, "HTTP/1.1 409 Conflict\r\nx-held: 7\r\ncontent-length: 4\r\n\r\nbody");
    let request = Request::with_body(Method::POST, url.as_str(), b"{\"a\":1}".to_vec()).bearer("abc.def");
    let response = patient().send(request).await.unwrap();
    assert_eq!((response.status, &*response.body), (409, &b"body"[..]));
    assert_eq!(response.headers["x-held"], "7");

    let seen = server.await.unwrap();
    assert!(seen.starts_with("POST /api/v1/x?y=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\n{\"a\":1}"), "{seen}");
    let host = url.strip_prefix("http://").unwrap().split_once('/').unwrap().0;
    for header in
        ["authorization: Bearer abc.def", "content-type: application/json", &format!("host: {host}")]
    {
        assert!(seen.contains(&format!("\r\n{header}\r\n")), "{header} in {seen}");
    }
}

#[tokio::test]
async fn a_get_has_no_body_no_type_and_no_token() {
    let (listener, url) = listener().await;
    let server = answer(listener, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(patient().send(Request::get(url)).await.unwrap().status, 204);
    let seen = server.await.unwrap();
    assert!(!seen.contains("content-") && !seen.contains("authorization"), "{seen}");
}

#[tokio::test]
async fn connections_are_kept() {
    let (listener, url) = listener().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
    });
    let client = patient();
    for _ in 0..3 {
        assert_eq!(client.send(Request::get(url.as_str())).await.unwrap().body, "ok");
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_redirect_is_a_response() {
    let (listener, url) = listener().await;
    answer(listener, "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(patient().send(Request::get(url)).await.unwrap().status, 302);
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    // Connected by the kernel, never accepted.
    let (_listener, url) = listener().await;
    let error = within(Duration::from_millis(50)).send(Request::get(url)).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    assert_eq!(error.to_string(), "no complete answer within 50ms");
}

#[tokio::test]
async fn a_body_that_stops_half_way_ends_at_the_deadline() {
    let (listener, url) = listener().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        // Held open until the client gives up.
        stream.read(&mut [0; 1]).await.unwrap_or(0)
    });
    // The server has to come as far as the half before.
    let error = within(Duration::from_secs(5)).send(Request::get(url)).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    assert_eq!(server.await.unwrap(), 0);
}

#[tokio::test]
async fn a_body_without_end_stops_at_the_limit() {
    for head in ["content-length: 1000000000000", "transfer-encoding: chunked"] {
        let (listener, url) = listener().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes()).await.unwrap();
            let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
            let mut sent = 0_usize;
            while stream.write_all(chunk.as_bytes()).await.is_ok() {
                sent += chunk.len();
            }
            sent
        });
        let error = patient().send(Request::get(url)).await.unwrap_err();
        assert!(matches!(error, ClientError::TooLarge { limit: 65_536 }), "{error:?}");
        // The client hung up; what had been sent is the limit and what socket buffers hold.
        assert!(server.await.unwrap() < 64 << 20);
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes() {
    let (listener, url) = listener().await;
    answer(listener, format!("HTTP/1.1 200 OK\r\ncontent-length: 65536\r\n\r\n{}", "x".repeat(1 << 16)));
    assert_eq!(patient().send(Request::get(url)).await.unwrap().body.len(), 1 << 16);
}

#[tokio::test]
async fn unreachable_peers_are_told_apart() {
    // Bound and not listening: nobody is there, and nobody else can come.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    let long_label = format!("http://{}.invalid/", "x".repeat(64));
    // A label of 64 letters and the broadcast address fail at once, without a packet.
    let cases = [
        (url, ConnectFault::Refused, "connection refused"),
        (long_label, ConnectFault::Name, "host name cannot be resolved"),
        ("http://255.255.255.255:9/".to_owned(), ConnectFault::Unreachable, "host is unreachable"),
    ];
    for (url, want, text) in cases {
        let error = patient().send(Request::get(url.as_str())).await.unwrap_err();
        assert_eq!(error.to_string(), text, "{url}: {error:?}");
        assert!(matches!(error, ClientError::Connect { fault, .. } if fault == want), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_peer_that_breaks_off_or_speaks_something_else_is_a_protocol_error() {
    for reply in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "SSH-2.0-OpenSSH_9.2\r\n"] {
        let (listener, url) = listener().await;
        answer(listener, reply);
        let error = patient().send(Request::get(url)).await.unwrap_err();
        assert!(matches!(error, ClientError::Protocol { .. }), "{reply:?}: {error:?}");
    }
}

#[tokio::test]
async fn impossible_requests_are_refused_before_anything_is_sent() {
    for url in ["", "/path", "https://127.0.0.1/", "http:///x", "http://a b/"] {
        let error = patient().send(Request::get(url)).await.unwrap_err();
        assert!(matches!(error, ClientError::Request { .. }), "{url:?}: {error:?}");
    }
    let error = patient().send(Request::get("http://127.0.0.1:1/").bearer("to\nken")).await.unwrap_err();
    assert!(matches!(error, ClientError::Request { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("ken\""), "{error:?}");
}

#[test]
fn debug_shows_neither_token_nor_body() {
    let request = Request::with_body(Method::POST, "http://h/p", b"hidden".to_vec()).bearer("hidden");
    let shown = format!("{request:?}");
    assert!(shown.contains("http://h/p") && shown.contains("Some(6)"), "{shown}");
    assert!(!shown.contains("hidden"), "{shown}");
    let sent = format!("{:?}", request.into_http(None).unwrap());
    assert!(!sent.contains("Bearer"), "{sent}");
}
