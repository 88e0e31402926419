//! Hundreds of logins at once, from many addresses: their passwords are hashed a few at a time, whatever they cost.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use gthulhu_http::testkit::Exchange;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::rig::{Manager, in_time};

const LOGINS: u16 = 500;
/// What a flood may cost in memory: two hashes of 19 MiB, and its own connections.
const MEMORY_KIB: u64 = 64 * 1024;

/// One guess at a name of its own, from an address of its own: neither is throttled for what the others do.
async fn guess(to: std::net::SocketAddr, number: u16) -> u16 {
    let body = json!({"username": format!("guess-{number}@example.org"), "password": "a wrong password"});
    let body = body.to_string();
    let request = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let [high, low] = number.to_be_bytes();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 1, high, low), 0).into()).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    Exchange::parse(&request, &reply).status
}

#[tokio::test]
async fn a_flood_of_logins_costs_neither_memory_nor_others_their_answers() {
    let mut manager = Manager::start().await;
    manager.ignore_log();
    let admin = manager.admin().await;
    let before = manager.memory("VmRSS");
    manager.forget_peak();

    let mut flood = JoinSet::new();
    (0..LOGINS).for_each(|number| drop(flood.spawn(guess(manager.address(), number))));
    let mut answers = BTreeMap::<u16, usize>::new();
    let mut served = 0;
    while let Some(status) = in_time("the flood's answers", flood.join_next()).await {
        *answers.entry(status.unwrap()).or_default() += 1;
        // Those who are in have their answers all the while.
        if served < 50 {
            assert_eq!(in_time("an honest request", admin.get("/api/v1/users")).await.status, 200);
            served += 1;
        }
    }
    let grown = manager.memory("VmHWM").saturating_sub(before);
    println!("{LOGINS} logins at once: {answers:?}, {grown} KiB more memory at most");
    assert!(answers.keys().all(|status| [401, 429].contains(status)), "{answers:?}");
    // More than two places and thirty-two that wait cannot be filled at once, and nobody waits in vain.
    assert!(answers.contains_key(&401) && answers.contains_key(&429), "{answers:?}");
    assert!(grown <= MEMORY_KIB, "{grown} KiB");
    manager.admin().await;
}
