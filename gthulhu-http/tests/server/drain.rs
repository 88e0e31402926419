//! Stopping: what has begun is finished, what is idle is closed, nothing new begins.

use std::sync::Arc;
use std::time::Duration;

use gthulhu_http::limits::Limits;
use gthulhu_http::testkit::TestServer;
use tokio::net::TcpStream;

use crate::app::{App, connect, read_line_body, read_to_end, routes};

const WAIT: &str = "GET /api/v1/wait HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server with one request in flight, on the connection returned.
async fn busy(limits: Limits) -> (Arc<App>, TestServer, TcpStream) {
    let app = App::new();
    let server = TestServer::start_with(app.clone(), routes(), limits);
    let stream = connect(server.address(), WAIT).await;
    app.entered.acquire().await.unwrap().forget();
    (app, server, stream)
}

#[tokio::test]
async fn requests_in_flight_are_finished_and_new_connections_refused() {
    let (app, server, mut stream) = busy(Limits::default()).await;
    let mut idle = connect(server.address(), "GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    read_line_body(&mut idle).await;
    let mut silent = connect(server.address(), "").await;

    server.ask_to_stop();

    assert_eq!(read_to_end(&mut idle).await, "", "an idle connection is closed at once");
    assert_eq!(read_to_end(&mut silent).await, "", "and so is one that never spoke");
    let refused = TcpStream::connect(server.address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    app.release.add_permits(1);
    let reply = read_to_end(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(reply.contains("connection: close"), "{reply}");
    server.stop().await;
}

#[tokio::test]
async fn work_whose_caller_has_gone_is_finished_too() {
    let (app, server, stream) = busy(Limits::default()).await;
    drop(stream);
    server.ask_to_stop();
    app.release.add_permits(1);
    server.stop().await;
    assert_eq!(app.finished.available_permits(), 1);
}

#[tokio::test]
async fn a_request_that_does_not_end_cannot_hold_the_server() {
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let (app, server, mut stream) = busy(limits).await;
    server.stop().await;
    assert_eq!(read_to_end(&mut stream).await, "");
    assert_eq!(app.finished.available_permits(), 0);
}
