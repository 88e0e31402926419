//! Requests sent again and again on one connection: the last is judged and answered as the first was, and nothing else is
//! taken for one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gthulhu_http::limits::Limits;
use gthulhu_http::testkit::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{App, LARGE, connect, read_to_end, routes, soon};

/// More than it takes until a request is known by its bytes.
const TIMES: usize = 6;

fn get(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: x\r\nX-Request-ID: fixed\r\nAccept: application/problem+json\r\n\r\n"
    )
}

/// One reply as far as it does not tell the time, whatever its head says of the body.
async fn reply(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(soon(stream.read_u8()).await.expect("the reply has a head"));
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    soon(stream.read_exact(&mut body)).await.expect("the reply has all of its body");
    without_times(&(head + std::str::from_utf8(&body).unwrap()))
}

fn without_times(reply: &str) -> String {
    let mut shown = reply.to_owned();
    for (name, end) in [("date: ", "\r\n"), ("\"timestamp\":\"", "\"")] {
        if let Some((before, rest)) = shown.split_once(name) {
            let (time, after) = rest.split_once(end).unwrap();
            // As hyper writes it, and as the bodies have it.
            assert_eq!(time.len(), if name == "date: " { 29 } else { 20 }, "{time}");
            shown = format!("{before}{name}T{end}{after}");
        }
    }
    shown
}

async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    reply(stream).await
}

/// A connection on which this has been asked so often that it is known, and the answer.
async fn known(server: &TestServer, request: &str) -> (TcpStream, String) {
    let mut stream = connect(server.address(), "").await;
    let first = ask(&mut stream, request).await;
    for _ in 1..TIMES {
        assert_eq!(ask(&mut stream, request).await, first);
    }
    (stream, first)
}

#[tokio::test]
async fn the_last_of_many_is_answered_as_the_first() {
    let app = App::new();
    app.release.add_permits(2 * TIMES);
    let server = TestServer::start(app, routes());
    for (target, status) in [
        ("/api/v1/things/a%20b?q=1", 200),
        ("/api/v1/wait", 200),
        ("/api/v1/nothing", 204),
        ("/api/v1/stale", 409),
        ("/api/v1/panic", 500),
        ("/api/v1/panic?later", 500),
        ("/api/v1/broken", 500),
        ("/api/v1/unknown", 404),
        ("/api/v1/closed", 401),
        ("/readyz?verbose", 200),
    ] {
        let (_, reply) = known(&server, &get(target)).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {reply}");
    }
    server.stop().await;
}

#[tokio::test]
async fn each_is_judged_by_the_policy() {
    let app = App::new();
    app.open.store(true, Ordering::Relaxed);
    let server = TestServer::start(Arc::clone(&app), routes());
    let request = get("/api/v1/closed");
    let (mut stream, admitted) = known(&server, &request).await;
    assert!(admitted.starts_with("HTTP/1.1 200 "), "{admitted}");
    app.open.store(false, Ordering::Relaxed);
    let refused = ask(&mut stream, &request).await;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    app.open.store(true, Ordering::Relaxed);
    assert_eq!(ask(&mut stream, &request).await, admitted);
    server.stop().await;
}

#[tokio::test]
async fn each_without_an_id_gets_one_of_its_own() {
    let server = TestServer::start(App::new(), routes());
    let request = get("/api/v1/stale").replace("X-Request-ID: fixed\r\n", "");
    let mut stream = connect(server.address(), "").await;
    let mut replies = std::collections::BTreeSet::new();
    for _ in 0..TIMES {
        let reply = ask(&mut stream, &request).await;
        assert!(reply.contains("\"requestId\":\""), "{reply}");
        replies.insert(reply);
    }
    assert_eq!(replies.len(), TIMES, "no two are the same");
    server.stop().await;
}

#[tokio::test]
async fn the_same_bytes_inside_a_body_are_no_request() {
    let server = TestServer::start(App::new(), routes());
    let request = get("/api/v1/things/a");
    let (mut stream, answer) = known(&server, &request).await;
    let length = request.len();
    let post = format!(
        "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    assert!(ask(&mut stream, &post).await.starts_with("HTTP/1.1 100 "), "its body is waited for");
    let echo = ask(&mut stream, &request).await;
    assert!(echo.contains(&format!("\"data\":{length},")), "{echo}");
    for _ in 0..TIMES {
        assert_eq!(ask(&mut stream, &request).await, answer);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_in_pieces_or_beside_others_is_answered_once() {
    let server = TestServer::start(App::new(), routes());
    let (request, other) = (get("/api/v1/things/a"), get("/api/v1/things/b"));
    let (mut stream, answer) = known(&server, &request).await;
    let (_, other_answer) = known(&server, &other).await;
    stream.set_nodelay(true).unwrap();
    for cut in 1..request.len() {
        stream.write_all(&request.as_bytes()[..cut]).await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(ask(&mut stream, &request[cut..]).await, answer, "cut after {cut}");
        for _ in 0..3 {
            assert_eq!(ask(&mut stream, &request).await, answer);
        }
    }
    for order in ["aaaaa", "ab", "aba", "aabbaab", "bbbbbb", "ba"] {
        let all: String = order.chars().map(|one| if one == 'a' { &*request } else { &*other }).collect();
        stream.write_all(all.as_bytes()).await.unwrap();
        for one in order.chars() {
            assert_eq!(
                reply(&mut stream).await,
                *if one == 'a' { &answer } else { &other_answer },
                "{order}"
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn the_same_bytes_are_the_rest_of_a_head_that_came_while_one_was_in_work() {
    let app = App::new();
    let server = TestServer::start(Arc::clone(&app), routes());
    let request = get("/api/v1/wait");
    let mut stream = connect(server.address(), "").await;
    // So often that it is known, and still not without hyper, which reads on while a handler waits.
    for round in 1..=3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        soon(app.entered.acquire()).await.unwrap().forget();
        if round == 3 {
            let begun = "GET /api/v1/things/a HTTP/1.1\r\nHost: x\r\nX-Last: ";
            stream.write_all(begun.as_bytes()).await.unwrap();
            // Let the server see it. If it does not, there is nothing to get wrong.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
        }
        app.release.add_permits(1);
        assert!(reply(&mut stream).await.starts_with("HTTP/1.1 200 "));
    }
    let both = ask(&mut stream, &request).await;
    assert!(both.starts_with("HTTP/1.1 400 ") && both.contains("one Host header"), "{both}");
    assert_eq!(read_to_end(&mut stream).await, "", "and nothing else");
    server.stop().await;
}

#[tokio::test]
async fn one_that_is_in_work_is_finished_when_the_server_stops() {
    let app = App::new();
    let server = TestServer::start(Arc::clone(&app), routes());
    let request = get("/api/v1/wait");
    app.release.add_permits(TIMES);
    let (mut stream, _) = known(&server, &request).await;
    let (mut idle, _) = known(&server, &get("/api/v1/things/a")).await;
    soon(app.entered.acquire_many(u32::try_from(TIMES).unwrap())).await.unwrap().forget();
    stream.write_all(request.as_bytes()).await.unwrap();
    soon(app.entered.acquire()).await.unwrap().forget();
    server.ask_to_stop();
    assert_eq!(read_to_end(&mut idle).await, "", "an idle connection is closed at once");
    app.release.add_permits(1);
    let last = read_to_end(&mut stream).await;
    assert!(last.starts_with("HTTP/1.1 200 OK\r\n") && last.ends_with("}\n"), "{last}");
    assert!(last.contains("connection: close\r\n"), "{last}");
    server.stop().await;
}

#[tokio::test]
async fn a_reply_longer_than_any_buffer_comes_whole() {
    let app = App::new();
    let server = TestServer::start(Arc::clone(&app), routes());
    let mut stream = connect(server.address(), "").await;
    for _ in 0..TIMES {
        let reply = ask(&mut stream, &get("/api/v1/large")).await;
        let body = reply.split_once("\r\n\r\n").unwrap().1;
        assert!(body.len() == LARGE && body.bytes().all(|byte| byte == b'x'));
    }
    server.stop().await;
}

#[tokio::test]
async fn the_time_to_be_idle_begins_with_the_last_reply() {
    let limits = Limits { idle: Duration::from_millis(200), ..Limits::default() };
    let server = TestServer::start_with(App::new(), routes(), limits);
    let (mut stream, _) = known(&server, &get("/api/v1/things/a")).await;
    assert_eq!(read_to_end(&mut stream).await, "", "closed without a word");
    server.stop().await;
}
