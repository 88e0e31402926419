//! Callers who take their time, in every form: each is let go, and nobody else waits for him.

use std::process::Command;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rig::{Manager, in_time, patience};

/// What is said at once, what is said a byte at a time after it, and how the first line of the answer begins; empty
/// when there is none.
const FORMS: [(&str, &str, &str, &str); 7] = [
    ("silence", "", "", ""),
    ("half a head", "GET /health HTTP/1.1\r\nHost: x\r\n", "", ""),
    ("a head byte by byte", "GET /health HTTP/1.1\r\n", "X-Slow: y\r\n", ""),
    ("empty lines", "", "\r\n", ""),
    ("the hello of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03", "", "HTTP/1.1 400 "),
    (
        "half a body",
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        "",
        "HTTP/1.1 408 ",
    ),
    (
        "a body byte by byte",
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "1\r\n \r\n",
        "HTTP/1.1 408 ",
    ),
];

/// Speaks as told until the server ends the connection; what the server said.
async fn speak(mut stream: TcpStream, slowly: &str) -> String {
    let (mut reader, mut writer) = stream.split();
    let mut heard = Vec::new();
    let listening = reader.read_to_end(&mut heard);
    let speaking = async {
        for byte in slowly.bytes().cycle() {
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // A reset is an end, too.
        _ = listening => {}
        () = speaking => {}
    }
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn whoever_takes_too_long_is_let_go() {
    let mut manager = Manager::start_beside(Command::new).await;
    manager.ignore_log();
    let (mut names, mut spoken) = (Vec::new(), Vec::new());
    for (name, said, slowly, answer) in FORMS {
        let stream = manager.connect(said).await;
        let begun = Instant::now();
        names.push((name, answer));
        spoken.push(tokio::spawn(async move { (speak(stream, slowly).await, begun.elapsed()) }));
    }
    if patience() {
        names.push(("one request and then silence", "HTTP/1.1 200 "));
        let stream = manager.connect("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let begun = Instant::now();
        spoken.push(tokio::spawn(async move { (speak(stream, "").await, begun.elapsed()) }));
    }
    for ((name, answer), spoken) in names.into_iter().zip(spoken) {
        let (heard, took) = in_time(name, spoken).await.unwrap();
        println!(
            "{name}: let go after {:.1} s: {:?}",
            took.as_secs_f32(),
            heard.lines().next().unwrap_or("")
        );
        assert!(heard.starts_with(answer) && heard.is_empty() == answer.is_empty(), "{name}: {heard}");
    }
}

/// A caller who has said all he wants to say is told his answer or let go, but never kept.
#[tokio::test]
async fn a_caller_who_has_hung_up_leaves_nothing_behind() {
    let mut manager = Manager::start_beside(Command::new).await;
    manager.ignore_log();
    for said in ["", "GET /hea", "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", FORMS[5].1] {
        let mut stream = manager.connect(said).await;
        stream.shutdown().await.unwrap();
        let mut heard = Vec::new();
        let _ = in_time("a half-closed connection", stream.read_to_end(&mut heard)).await;
    }
    crate::rig::until("the descriptors of the gone", || manager.connections() == 0).await;
}
