//! Thousands of sockets that do nothing, or next to nothing, beside one caller who means it. How little he notices is told
//! by figures, which are judged with `GTHULHU_PATIENCE=1`: they are a quiet machine's.

use std::time::{Duration, Instant};

use gthulhu_http::limits::Limits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::rig::{Manager, crowd_size, in_time, patience, until};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

/// What a member of the crowd says when it comes; every eighth sends another byte now and then.
const SAYINGS: [&str; 4] = [
    "",
    "GET /health HTTP/1.1\r\nX-Slow: ",
    HEALTH,
    "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{",
];

/// Below this a figure is the noise of a machine that does other things as well, and of a program built for debugging.
const NOISE: Duration = Duration::from_millis(10);
const REQUESTS: usize = 300;
/// How often the machine may be disturbed by something else.
const ROUNDS: usize = 3;

async fn gather(manager: &Manager, size: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::with_capacity(size);
    for member in 0..size {
        crowd.push(manager.connect(SAYINGS[member % SAYINGS.len()]).await);
    }
    crowd
}

/// How long each of some requests takes, every one on a connection of its own.
async fn ask(manager: &Manager, crowd: &mut [TcpStream]) -> Vec<Duration> {
    let client = manager.client();
    let mut took = Vec::new();
    for request in 0..REQUESTS {
        // The crowd is not asleep: some of it dribbles.
        if let Some(member) = crowd.iter_mut().skip(request * 8).nth(1) {
            let _ = member.try_write(b"x");
        }
        let begun = Instant::now();
        assert_eq!(in_time("an honest request", client.get("/health")).await.status, 200);
        took.push(begun.elapsed());
    }
    took
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

#[tokio::test]
async fn an_honest_caller_hardly_notices_a_crowd() {
    let mut manager = Manager::start().await;
    manager.ignore_log();
    let size = crowd_size();
    ask(&manager, &mut []).await;
    // The figures of one machine at different moments differ, so quiet and crowded alternate. A defect is there in
    // every round.
    for round in 1.. {
        let quiet = p99(ask(&manager, &mut []).await);
        let mut crowd = gather(&manager, size).await;
        // The crowd has arrived when somebody who came after it is answered.
        in_time("the end of the queue", manager.client().get("/health")).await;
        let crowded = p99(ask(&manager, &mut crowd).await);
        println!("p99 of {REQUESTS} requests: {quiet:?} alone, {crowded:?} beside {size} sockets");
        drop(crowd);
        until("the crowd is gone", || manager.connections() == 0).await;
        if !patience() || crowded <= NOISE.max(quiet * 2) {
            return;
        }
        assert!(round < ROUNDS, "more than twice as long, in every round");
    }
}

/// Twice as many connections as there are places, each with an answered request.
#[tokio::test]
async fn beyond_the_cap_connections_give_way_and_nothing_is_left_behind() {
    let mut manager = Manager::start().await;
    manager.ignore_log();
    assert_eq!(manager.client().get("/health").await.status, 200);
    until("a quiet moment", || manager.connections() == 0).await;
    let (descriptors, cap) = (manager.descriptors(), Limits::default().connections);
    let size = crowd_size() * 2;
    let mut crowd: Vec<TcpStream> = Vec::new();
    let mut most = 0;
    for number in 0..size {
        let Ok(mut stream) = TcpStream::connect(manager.address()).await else {
            println!("this process may open {number} sockets, not {size}");
            break;
        };
        stream.write_all(HEALTH.as_bytes()).await.unwrap();
        crowd.push(stream);
        if number % 500 == 0 {
            most = most.max(manager.connections());
        }
    }
    assert_eq!(in_time("a place", manager.client().get("/health")).await.status, 200);
    most = most.max(manager.connections());
    let memory = manager.memory("VmHWM");
    println!("{} connections: at most {most} open, {memory} KiB at most", crowd.len());
    // One more: it has been accepted and waits for its place.
    assert!(most <= cap + 1, "{most}");
    assert!(memory <= 256 * 1024, "{memory} KiB");
    drop(crowd);
    until("all are gone", || manager.connections() == 0).await;
    assert_eq!(manager.descriptors(), descriptors, "descriptors were left open");
    assert_eq!(manager.client().get("/health").await.status, 200);
}
