//! What a caller may ask for, and how long he may take. Each limit is made small and then met, never slept for.

use std::time::Duration;

use gthulhu_http::limits::Limits;
use gthulhu_http::testkit::TestServer;

use crate::app::{App, LARGE, connect, read_line_body, read_to_end, routes};

const SOON: Duration = Duration::from_millis(100);
const GET_HEALTH: &str = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn bodies_up_to_the_limit_and_no_longer() {
    let limits = Limits { body_bytes: 1024, ..Limits::default() };
    let server = TestServer::start_with(App::new(), routes(), limits);
    let client = server.client();
    for (path, bytes, status) in [
        ("/api/v1/echo", 1024, 200),
        ("/api/v1/echo", 1025, 413),
        ("/api/v1/echo", 1_000_000, 413),
        ("/api/v1/bulk", 4096, 200),
        ("/api/v1/bulk", 4097, 413),
    ] {
        let exchange = client.send("POST", path, Some(&vec![b'x'; bytes])).await;
        assert_eq!(exchange.status, status, "{path} {bytes}");
    }
    let chunked = |bytes: usize| {
        let head = "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}{bytes:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(bytes))
    };
    assert_eq!(client.raw(chunked(1024).as_bytes()).await.data(), 1024);
    let refused = client.raw(chunked(1025).as_bytes()).await;
    assert_eq!((refused.status, refused.error()), (413, "request body exceeds 1024 bytes".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_policy_refuses_before_the_body_is_there() {
    let server = TestServer::start(App::new(), routes());
    let head =
        "POST /api/v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n";
    let mut stream = connect(server.address(), head).await;
    let reply = read_line_body(&mut stream).await;
    // Neither "100 Continue" nor a word about the body: not one byte of it was asked for.
    assert!(reply.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{reply}");
    server.stop().await;
}

#[tokio::test]
async fn packed_bodies_are_not_unpacked() {
    let server = TestServer::start(App::new(), routes());
    for (coding, status) in
        [("gzip", 415), ("identity, gzip", 415), ("", 415), ("identity", 200), ("Identity", 200)]
    {
        let client = server.client().header("Content-Encoding", coding);
        assert_eq!(client.send("POST", "/api/v1/echo", Some(b"{}")).await.status, status, "{coding:?}");
    }
    let stranger = server.client().header("Content-Encoding", "gzip");
    assert_eq!(
        stranger.send("POST", "/api/v1/things", Some(b"{}")).await.status,
        401,
        "admission comes first"
    );
    server.stop().await;
}

#[tokio::test]
async fn large_heads_are_431() {
    let server = TestServer::start(App::new(), routes());
    let client = server.client();
    let many = "X-Many: 1\r\n".repeat(70);
    let large = format!("X-Large: {}\r\n", "x".repeat(20_000));
    for headers in [many, large] {
        let exchange =
            client.raw(format!("GET /health HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).await;
        assert_eq!(exchange.status, 431);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_too_little_is_closed() {
    let limits = Limits { first_byte: SOON, ..Limits::default() };
    let server = TestServer::start_with(App::new(), routes(), limits);
    for said in ["", "G", "GET /health HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = connect(server.address(), said).await;
        assert_eq!(read_to_end(&mut stream).await, "", "after {said:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_head_of_a_later_request_has_a_deadline_too() {
    // The two whole ones have to come before it.
    let limits = Limits { first_byte: Duration::from_secs(2), ..Limits::default() };
    let server = TestServer::start_with(App::new(), routes(), limits);
    let two_at_once = format!("{GET_HEALTH}{GET_HEALTH}");
    let mut stream = connect(server.address(), &two_at_once).await;
    read_line_body(&mut stream).await;
    read_line_body(&mut stream).await;
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET /hea").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let limits = Limits { idle: SOON, ..Limits::default() };
    let server = TestServer::start_with(App::new(), routes(), limits);
    let mut stream = connect(server.address(), GET_HEALTH).await;
    assert!(read_line_body(&mut stream).await.contains("healthy"));
    assert_eq!(read_to_end(&mut stream).await, "");
    server.stop().await;
}

#[tokio::test]
async fn a_caller_who_does_not_take_in_his_reply_is_let_go() {
    let limits = Limits { idle: SOON, drain: Duration::from_secs(300), ..Limits::default() };
    let app = App::new();
    let server = TestServer::start_with(app.clone(), routes(), limits);
    let mut stream = connect(server.address(), "GET /api/v1/large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    app.entered.acquire().await.unwrap().forget();
    // Stopping waits for the connection, so its end is the end of the connection.
    server.stop().await;
    assert!(read_to_end(&mut stream).await.len() < LARGE);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let limits = Limits { body: SOON, ..Limits::default() };
    let server = TestServer::start_with(App::new(), routes(), limits);
    let request = "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab";
    let reply = read_to_end(&mut connect(server.address(), request).await).await;
    assert!(reply.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{reply}");
    server.stop().await;
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_503() {
    let limits = Limits { request: SOON, ..Limits::default() };
    let app = App::new();
    let server = TestServer::start_with(app.clone(), routes(), limits);
    let exchange = server.client().get("/api/v1/wait").await;
    assert_eq!((exchange.status, exchange.header("retry-after")), (503, Some("1")));
    app.release.add_permits(1);
    server.stop().await;
    assert_eq!(app.finished.available_permits(), 0, "the handler was dropped where it waited");
}

#[tokio::test]
async fn beyond_the_limit_of_requests_in_flight_only_probes_are_answered() {
    let limits = Limits { in_flight: 2, ..Limits::default() };
    let app = App::new();
    let server = TestServer::start_with(app.clone(), routes(), limits);
    let client = server.client();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get("/api/v1/wait").await.status })
        })
        .collect();
    app.entered.acquire_many(2).await.unwrap().forget();

    let refused = client.get("/api/v1/stale").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(client.get("/livez").await.status, 200);

    app.release.add_permits(2);
    for request in waiting {
        assert_eq!(request.await.unwrap(), 200);
    }
    assert_eq!(client.get("/api/v1/stale").await.status, 409);
    server.stop().await;
}
