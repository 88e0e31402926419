//! Being told to stop while requests are being worked on.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use gthulhu_http::testkit::Exchange;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rig::{Manager, in_time};

const IN_FLIGHT: usize = 200;

/// A login with an unknown name, all but the end of its body.
fn login() -> (String, &'static str) {
    let (most, rest) = (r#"{"username":"nobody","password":"#, r#""nothing"}"#);
    let length = most.len() + rest.len();
    let head = format!("POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    (head + most, rest)
}

/// Requests that the manager has begun to read: each was asked for the rest of its body.
async fn in_flight(manager: &Manager) -> Vec<TcpStream> {
    let (begun, _) = login();
    let expecting = begun.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    // All at once: the first does not wait long for its rest while the others begin.
    let address = manager.address();
    let beginning: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let head = expecting.clone();
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(head.as_bytes()).await.unwrap();
                let mut word = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
                stream.read_exact(&mut word).await.unwrap();
                assert_eq!(word, *b"HTTP/1.1 100 Continue\r\n\r\n");
                stream
            })
        })
        .collect();
    let mut requests = Vec::new();
    for begun in beginning {
        requests.push(in_time("100 Continue", begun).await.unwrap());
    }
    requests
}

#[tokio::test]
async fn every_request_in_flight_is_answered_before_the_end() {
    let mut manager = Manager::start_beside(Command::new).await;
    let requests = in_flight(&manager).await;
    manager.signal(Signal::TERM);
    manager.wait_for_log("stopping");
    manager.ignore_log();

    let (_, rest) = login();
    let answers = requests.into_iter().map(|mut stream| {
        tokio::spawn(async move {
            stream.write_all(rest.as_bytes()).await.unwrap();
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).await.unwrap();
            Exchange::parse("login", &reply).status
        })
    });
    let mut statuses = std::collections::BTreeMap::new();
    for answer in answers.collect::<Vec<_>>() {
        *statuses.entry(in_time("a reply", answer).await.unwrap()).or_insert(0) += 1;
    }
    println!("{IN_FLIGHT} requests in flight when told to stop: {statuses:?}");
    // The name is wrong, or too many passwords were being checked at once.
    assert_eq!(
        statuses
            .iter()
            .filter(|(status, _)| [401, 404, 429, 503].contains(*status))
            .map(|(_, n)| n)
            .sum::<usize>(),
        IN_FLIGHT
    );
    assert_eq!(manager.wait().code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_anybody() {
    let mut manager = Manager::start_beside(Command::new).await;
    let requests = in_flight(&manager).await;
    manager.signal(Signal::TERM);
    manager.wait_for_log("stopping");
    manager.signal(Signal::TERM);
    let status = manager.wait();
    assert_eq!((status.code(), status.signal()), (Some(128 + 15), None));
    drop(requests);
}
