//! More callers than places: who does nothing gives way to who comes, and what is in work is never cut off.

use std::net::SocketAddr;
use std::time::Duration;

use gthulhu_http::limits::Limits;
use gthulhu_http::testkit::TestServer;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app::{App, LARGE, connect, read_line_body, read_to_end, routes, soon};

/// Longer than any test; what ends a connection here is never its age.
const EVER: Duration = Duration::from_secs(3600);
const WAIT: &str = "GET /api/v1/wait HTTP/1.1\r\nHost: x\r\n\r\n";
const GET_LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
const LARGE_REPLY: &str = "GET /api/v1/large HTTP/1.1\r\nHost: x\r\n\r\n";
/// The head of a request and not all of its body.
const SLOW: &str = "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{";

fn patient() -> Limits {
    Limits { first_byte: EVER, idle: EVER, body: EVER, request: EVER, ..Limits::default() }
}

async fn crowd(address: SocketAddr, size: usize, each_says: &str) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..size {
        streams.push(connect(address, each_says).await);
    }
    streams
}

#[tokio::test]
async fn the_silent_and_the_idle_give_way_to_who_comes() {
    for says in ["", "G", "GET /livez HTTP/1.1\r\nHost: ", GET_LIVEZ] {
        let limits = Limits { connections: 8, ..patient() };
        let server = TestServer::start_with(App::new(), routes(), limits);
        let mut silent = crowd(server.address(), 20, says).await;
        let client = server.client();
        for _ in 0..20 {
            assert_eq!(soon(client.get("/health")).await.status, 200, "after {says:?}");
        }
        let first = read_to_end(&mut silent[0]).await;
        assert!(first.is_empty() || says == GET_LIVEZ, "{first}");
        drop(silent);
        server.stop().await;
    }
}

#[tokio::test]
async fn those_at_work_stay_and_the_next_one_waits_its_turn() {
    let limits = Limits { connections: 1, ..patient() };
    let app = App::new();
    let server = TestServer::start_with(app.clone(), routes(), limits);
    let mut first = connect(server.address(), WAIT).await;
    app.entered.acquire().await.unwrap().forget();
    let second = tokio::spawn({
        let client = server.client();
        async move { client.get("/api/v1/wait").await.status }
    });

    app.release.add_permits(2);
    // Not one byte is missing, although the second takes the place as soon as the first has its reply.
    assert!(read_line_body(&mut first).await.starts_with("HTTP/1.1 200"));
    assert_eq!(soon(second).await.unwrap(), 200);
    assert_eq!(read_to_end(&mut first).await, "", "the first has given way");
    server.stop().await;
}

#[tokio::test]
async fn a_reply_that_is_being_taken_in_is_not_cut_off() {
    for next in ["", "G"] {
        let limits = Limits { connections: 1, ..patient() };
        let app = App::new();
        let server = TestServer::start_with(app.clone(), routes(), limits);
        let mut first = connect(server.address(), &format!("{LARGE_REPLY}{next}")).await;
        app.entered.acquire().await.unwrap().forget();
        let client = server.client();
        let mut second = tokio::spawn(async move { client.get("/health").await.status });
        // Several times what is enough for a connection that only waits.
        let early = timeout(Duration::from_millis(500), &mut second).await;
        assert!(early.is_err(), "the second got the place of the first");

        let reply = read_to_end(&mut first).await;
        assert!(reply.len() > LARGE, "cut off after {} bytes", reply.len());
        assert_eq!(soon(second).await.unwrap(), 200, "sent means waiting, and so the first gave way");
        server.stop().await;
    }
}

#[tokio::test]
async fn slow_bodies_take_no_place_from_other_requests() {
    let limits = Limits { in_flight: 1, ..patient() };
    let server = TestServer::start_with(App::new(), routes(), limits);
    let slow = crowd(server.address(), 20, SLOW).await;
    let client = server.client();
    for _ in 0..20 {
        assert_eq!(soon(client.get("/api/v1/stale")).await.status, 409);
        assert_eq!(soon(client.send("POST", "/api/v1/echo", Some(b"{}"))).await.status, 200);
    }
    drop(slow);
    server.stop().await;
}

#[tokio::test]
async fn the_slowest_body_gives_way_to_the_next() {
    let large = format!("{SLOW}{}", "x".repeat(900));
    for (limits, body) in [
        (Limits { slow_bodies: 4, ..patient() }, SLOW),
        (Limits { slow_body_bytes: 4 * 901, ..patient() }, &large),
        (Limits { connections: 8, ..patient() }, SLOW),
    ] {
        let server = TestServer::start_with(App::new(), routes(), limits);
        let mut first = connect(server.address(), body).await;
        let others = crowd(server.address(), 4, body).await;
        let refused = read_to_end(&mut first).await;
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        assert!(refused.contains("retry-after: 1\r\n") && refused.contains("connection: close\r\n"));
        drop(others);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_slow_body_is_read_to_its_end_when_nobody_needs_its_place() {
    let server = TestServer::start(App::new(), routes());
    let mut stream = connect(server.address(), SLOW).await;
    for _ in 0..333 {
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"abc").await.unwrap();
        tokio::task::yield_now().await;
    }
    let reply = read_line_body(&mut stream).await;
    assert!(reply.contains("\"data\":1000,"), "{reply}");
    server.stop().await;
}
