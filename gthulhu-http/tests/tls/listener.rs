//! The listener's own rules hold over TLS too: time, room, and an end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gthulhu_http::client::{ClientError, Request};
use gthulhu_http::limits::Limits;
use gthulhu_http::testkit::TestServer;
use gthulhu_http::time::unix_now;
use rcgen::date_time_ymd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::papers::{Authority, CLIENT, SERVER, loopback, params};
use crate::peers::{client, live, serve_live, stranger};

fn listener(ca: &Authority, limits: Limits) -> (std::sync::Arc<crate::peers::App>, TestServer) {
    let own = ca.paper(&params("gthulhu-decisionmaker", &[SERVER], &[loopback()]));
    serve_live(live(&own, &ca.pem), limits)
}

async fn connect(server: &TestServer, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// What comes until the other end hangs up.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    rest
}

/// The beginning of a ClientHello.
const HELLO: [u8; 8] = [22, 3, 1, 0, 200, 1, 0, 0];

#[tokio::test]
async fn the_handshake_has_the_time_of_the_first_byte() {
    let ca = Authority::new();
    let limits = Limits { first_byte: Duration::from_millis(100), ..Limits::default() };
    let (_, server) = listener(&ca, limits);
    for bytes in [&[][..], &HELLO] {
        assert_eq!(rest(&mut connect(&server, bytes).await).await, b"");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_silent_crowd_gives_way_to_who_shakes_hands() {
    let ca = Authority::new();
    let (_, server) = listener(&ca, Limits { connections: 4, ..Limits::default() });
    let mut crowd = Vec::new();
    for _ in 0..8 {
        crowd.push(connect(&server, &HELLO).await);
    }
    let paper = ca.paper(&params("gthulhu-manager", &[CLIENT], &[]));
    let reply = stranger(server.address(), &ca.pem, Some(&paper)).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    server.stop().await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_does_not_hold_the_server() {
    let ca = Authority::new();
    let (_, server) = listener(&ca, Limits::default());
    let mut begun = connect(&server, &HELLO).await;
    let paper = ca.paper(&params("gthulhu-manager", &[CLIENT], &[]));
    stranger(server.address(), &ca.pem, Some(&paper)).await.unwrap();
    server.stop().await;
    assert_eq!(rest(&mut begun).await, b"");
}

/// Asks, with a certificate that is over after so many seconds, until that ends it: how many answers came.
async fn outlive(seconds: i64) -> usize {
    let ca = Authority::new();
    let (app, server) = listener(&ca, Limits::default());
    let mut brief = params("gthulhu-manager", &[CLIENT], &[]);
    let over = unix_now() + seconds;
    brief.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(over.unsigned_abs());
    let client = client(live(&ca.paper(&brief), &ca.pem));
    let url = format!("https://{}/api/v1/whoami", server.address());
    let mut answered = 0;
    let error = loop {
        let asked_at = unix_now();
        match client.send(Request::get(url.as_str())).await {
            Ok(reply) if reply.status == 200 => {
                assert!(asked_at <= over, "answered after its end");
                answered += 1;
            }
            Ok(reply) => assert_eq!(reply.status, 401),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ClientError::Tls { .. }) && unix_now() >= over, "{error:?}");
    assert_eq!(app.calls.load(Ordering::Relaxed), answered);
    server.stop().await;
    answered
}

/// A connection is no way to outlive a certificate.
#[tokio::test]
async fn a_certificate_that_is_over_ends_its_connection() {
    // One that is over before anything was asked shows nothing; the next lives longer.
    for seconds in [3, 10, 30, 90] {
        if outlive(seconds).await > 0 {
            return;
        }
    }
    panic!("no certificate lived long enough");
}
