//! The feed as the node's scheduler meets it, beside a scheduler that asks over HTTP as those written in Go do.

use std::time::Duration;

use gthulhu_http::testkit::TestClient;
use gthulhu_lib::process::{Change, Comm, Process, ProcessId, Thread};
use gthulhu_lib::wire::{
    SchedulerMetrics,
    feed::{
        Bye, Counters, Event, Events, Explanation, Frame, Hello, IntentsPart, MutedTask, PROTOCOL, Processes,
        Role, SchedulerState, TaskInKernel,
    },
};
use serde_json::{Value, json};

use crate::{
    rig::{KEY, Rig, golden, numbered, pids},
    tree::{DB, ProcTree, WEB},
};

mod peer;

use peer::{Peer, framed};

const INTENTS: &str = "/api/v1/intents";
const STRATEGIES: &str = "/api/v1/scheduling/strategies";

fn counters(state: SchedulerState, nr_queued: u64) -> Frame {
    let metrics = SchedulerMetrics { nr_queued, ..SchedulerMetrics::default() };
    let more = [("preemptions_total".to_owned(), 9)].into();
    Frame::Counters(Box::new(Counters { state, metrics, more, ..Counters::default() }))
}

/// The page of `/metrics` once it has this line.
async fn page_with(rig: &Rig, line: &str) -> String {
    let until = async {
        loop {
            let page = rig.stranger().get("/metrics").await.text().to_owned();
            if page.lines().any(|shown| shown == line) {
                return page;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), until).await.unwrap_or_else(|_| panic!("never {line}"))
}

async fn push(client: &TestClient, body: &Value) {
    assert_eq!(client.post(INTENTS, body).await.status, 200);
}

#[tokio::test]
async fn a_scheduler_by_the_feed_and_one_by_http_get_the_same_set() {
    let rig = Rig::feeding(ProcTree::busy());
    push(&rig.client(), &numbered(3, 7)).await;
    let mut peer = Peer::scheduler(&rig.socket()).await;
    let set = peer.set().await;
    assert_eq!((set.epoch, set.generation, set.intents.len()), (3, 7, 3));

    // As the plugin does: the public key for a token, the strategies every few seconds, then its counters.
    let body = json!({"public_key": KEY.public().to_pem()});
    let token = rig.stranger().post("/api/v1/auth/token", &body).await.data()["token"].take();
    let plugin = rig.stranger().bearer(token.as_str().unwrap());
    assert_eq!(pids(&plugin).await, [42, 50, 60, 43, 44]);
    assert_eq!(plugin.post("/api/v1/metrics", &json!({"nr_queued": 7})).await.status, 200);
    page_with(&rig, "nr_queued{machine_id=\"node-1\"} 7").await;

    // Who tells them last wins.
    peer.say(&counters(SchedulerState::Attached, 8)).await;
    let page = page_with(&rig, "nr_queued{machine_id=\"node-1\"} 8").await;
    for line in [
        "gthulhu_scheduler_attached{machine_id=\"node-1\"} 1",
        "gthulhu_scheduler_preemptions_total{machine_id=\"node-1\"} 9",
        "gthulhu_scheduler_queued_tasks{machine_id=\"node-1\"} 8",
        "gthulhu_dm_feed_peers{machine_id=\"node-1\"} 1",
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line} is not in\n{page}");
    }
    plugin.post("/api/v1/metrics", &json!({"nr_queued": 9})).await;
    page_with(&rig, "nr_queued{machine_id=\"node-1\"} 9").await;
    drop(peer);
    let page = page_with(&rig, "gthulhu_scheduler_attached{machine_id=\"node-1\"} 0").await;
    assert!(page.contains("\nnr_queued{machine_id=\"node-1\"} 9"), "what the other one posted stays");
    assert_eq!(pids(&plugin).await, [42, 50, 60, 43, 44]);
}

#[tokio::test]
async fn every_change_of_the_set_comes_down() {
    let rig = Rig::feeding(ProcTree::busy());
    let client = rig.client();
    let mut peer = Peer::scheduler(&rig.socket()).await;
    let nothing = peer.set().await;
    assert_eq!((nothing.epoch, nothing.generation, nothing.intents.len()), (0, 0, 0));
    push(&client, &numbered(3, 7)).await;
    let pushed = peer.set().await;
    assert_eq!((pushed.epoch, pushed.generation, pushed.intents.len()), (3, 7, 3));
    push(&client, &numbered(3, 8)).await;
    let next = peer.set().await;
    assert_eq!((next.generation, &next.intents), (8, &pushed.intents), "the same set under a new number");

    client.delete(INTENTS, &json!({"podId": WEB, "pid": 42})).await;
    let muted = peer.set().await;
    let expected = MutedTask { pod_id: WEB.to_owned(), pid: 42, start_time: 42 };
    assert_eq!((muted.generation, muted.muted), (8, vec![expected]));
    client.delete(INTENTS, &json!({"podId": WEB})).await;
    let edited = peer.set().await;
    let pods: Vec<&str> = edited.intents.iter().map(|intent| intent.pod_id.as_str()).collect();
    assert_eq!((edited.generation, pods), (8, vec![DB]));
    push(&client, &numbered(3, 8)).await;
    assert_eq!(peer.set().await.intents, pushed.intents, "restored");

    let mut monitor = Peer::greet(&rig.socket(), Hello::new(Role::Monitor, "1")).await;
    assert_eq!(monitor.set().await.intents, pushed.intents, "at once, to whoever comes later");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_delays_nobody_and_gets_the_newest_set() {
    let rig = Rig::feeding(ProcTree::busy());
    let mut peer = Peer::scheduler(&rig.socket()).await;
    assert_eq!(peer.set().await.generation, 0);
    // More than the socket holds for a peer that does not read.
    let labels: Value = (0..100).map(|key| (format!("key-{key}"), json!("v".repeat(60)))).collect();
    let large: Vec<Value> =
        (0..60).map(|pod| json!({"podID": format!("pod-{pod}"), "podLabels": labels})).collect();
    push(&rig.client(), &json!({"intents": large, "epoch": 1, "generation": 1})).await;
    // Its beginning is there, so that all that follows has to wait for its end.
    peer.is_spoken_to().await;
    for generation in 2..=9 {
        push(&rig.client(), &numbered(1, generation)).await;
    }
    let mut generations = Vec::new();
    while generations.last() != Some(&9) {
        generations.push(peer.set().await.generation);
    }
    assert!(
        generations[0] == 1 && generations.is_sorted() && generations.len() <= 3,
        "kept for one who did not read: {generations:?}"
    );
}

#[tokio::test]
async fn who_is_not_wanted_is_told_why_and_disturbs_nobody() {
    let rig = Rig::feeding(ProcTree::busy());
    let mut first = Peer::scheduler(&rig.socket()).await;
    first.set().await;
    let hello = |role| Frame::Hello(Hello::new(role, "1"));
    let other = Hello { protocol: PROTOCOL + 1, ..Hello::new(Role::Scheduler, "1") };
    let frame = |text: &str| framed(text.as_bytes());
    for (what, greeting, says) in [
        ("a second scheduler", frame_of(&hello(Role::Scheduler)), "another scheduler is connected"),
        ("a decision maker", frame_of(&hello(Role::DecisionMaker)), "only the roles"),
        ("a role of the future", frame(r#"{"type":"hello","protocol":1,"role":"x"}"#), "only the roles"),
        ("another protocol", frame_of(&Frame::Hello(other)), "protocol 2 is not spoken here"),
        ("no greeting", frame_of(&counters(SchedulerState::Attached, 1)), "it did not greet"),
        ("no JSON", frame("nonsense"), "not JSON"),
        ("no frame", b"GET / HTTP/1.1\r\n\r\n".to_vec(), "at most 4096 are taken"),
        ("a huge frame", u32::MAX.to_le_bytes().to_vec(), "at most 4096 are taken"),
    ] {
        let mut peer = Peer::connect(&rig.socket()).await;
        assert!(matches!(peer.hear().await, Frame::Hello(hello) if hello.role == Role::DecisionMaker));
        peer.send(&greeting).await;
        let Frame::Bye(Bye { reason }) = peer.hear().await else { panic!("{what}") };
        assert!(reason.contains(says), "{what}: {reason}");
        assert!(peer.is_left().await, "{what}");
    }
    push(&rig.client(), &numbered(3, 7)).await;
    assert_eq!(first.set().await.generation, 7);
    page_with(&rig, "gthulhu_dm_feed_refused_total{machine_id=\"node-1\"} 8").await;
}

#[tokio::test]
async fn what_makes_no_sense_ends_that_connection_only() {
    let rig = Rig::feeding(ProcTree::busy());
    push(&rig.client(), &numbered(3, 7)).await;
    for (what, bytes) in [
        ("a length too large", u32::MAX.to_le_bytes().to_vec()),
        ("text that is not JSON", framed(b"\xff{}")),
        ("a counter below zero", framed(br#"{"type":"counters","metrics":{"nr_queued":-1}}"#)),
        ("one key twice", framed(br#"{"type":"events","lost":1,"lost":2}"#)),
        ("too deep", framed(&[b"{\"type\":".as_slice(), &[b'['; 5000]].concat())),
    ] {
        let mut peer = Peer::scheduler(&rig.socket()).await;
        peer.set().await;
        peer.send(&bytes).await;
        assert!(matches!(peer.hear().await, Frame::Bye(_)), "{what}");
        assert!(peer.is_left().await, "{what}");
        // The place is free again as soon as the metrics say so.
        page_with(&rig, "gthulhu_dm_feed_peers{machine_id=\"node-1\"} 0").await;
    }
    let mut peer = Peer::scheduler(&rig.socket()).await;
    assert_eq!(peer.set().await.generation, 7);
    // What is unknown, and what is not for a decision maker, is no mistake.
    peer.send(&framed(br#"{"type":"news","protocol":"x"}"#)).await;
    peer.say(&Frame::Intents(IntentsPart::default())).await;
    let events = vec![Event { kind: "process-new".to_owned(), ..Event::default() }; 3];
    peer.say(&Frame::Events(Events { lost: 2, events })).await;
    let page = page_with(&rig, "gthulhu_dm_feed_events_total{machine_id=\"node-1\"} 3").await;
    assert!(page.contains("gthulhu_dm_feed_lost_events_total{machine_id=\"node-1\"} 2"), "{page}");
}

#[tokio::test]
async fn more_than_a_few_connections_are_not_taken() {
    let rig = Rig::feeding(ProcTree::busy());
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut peer = Peer::connect(&rig.socket()).await;
        assert!(matches!(peer.hear().await, Frame::Hello(_)));
        held.push(peer);
    }
    assert!(Peer::connect(&rig.socket()).await.is_left().await);
    drop(held);
    page_with(&rig, "gthulhu_dm_feed_refused_total{machine_id=\"node-1\"} 9").await;
    let mut peer = Peer::scheduler(&rig.socket()).await;
    peer.set().await;
}

#[tokio::test]
async fn other_users_cannot_take_the_schedulers_place() {
    let rig = Rig::feeding(ProcTree::busy());
    Peer::scheduler(&rig.socket()).await.set().await;
    page_with(&rig, "gthulhu_dm_feed_peers{machine_id=\"node-1\"} 0").await;
    let held = match Peer::of_another_user(&rig.socket(), 9) {
        Ok(held) => held,
        Err(why) => return println!("SKIPPED other_users_cannot_take_the_schedulers_place: {why}"),
    };
    page_with(&rig, "gthulhu_dm_feed_refused_total{machine_id=\"node-1\"} 1").await;
    let mut scheduler = Peer::scheduler(&rig.socket()).await;
    scheduler.set().await;
    drop(held);
}

#[tokio::test]
async fn readiness_knows_whether_the_scheduler_does_what_it_should() {
    let rig = Rig::feeding(ProcTree::busy());
    rig.client().get(STRATEGIES).await;
    let golden = golden().replace(&rig.socket().display().to_string(), "SOCKET");
    golden.check("readyz_feed_alone", &rig.stranger().get("/readyz?verbose").await);
    let mut peer = Peer::scheduler(&rig.socket()).await;
    peer.say(&counters(SchedulerState::Attached, 1)).await;
    page_with(&rig, "gthulhu_scheduler_attached{machine_id=\"node-1\"} 1").await;
    golden.check("readyz_feed_attached", &rig.stranger().get("/readyz?verbose").await);
    peer.say(&counters(SchedulerState::Failed, 2)).await;
    page_with(&rig, "nr_queued{machine_id=\"node-1\"} 2").await;
    golden.check("readyz_feed_failed", &rig.stranger().get("/readyz?verbose").await);
    peer.say(&counters(SchedulerState::Attached, 3)).await;
    page_with(&rig, "nr_queued{machine_id=\"node-1\"} 3").await;
    drop(peer);
    page_with(&rig, "gthulhu_dm_feed_peers{machine_id=\"node-1\"} 0").await;
    golden.check("readyz_feed_lost", &rig.stranger().get("/readyz?verbose").await);
    let mut peer = Peer::scheduler(&rig.socket()).await;
    peer.set().await;
    peer.say(&Frame::Bye(Bye { reason: "the scheduler stops".to_owned() })).await;
    assert!(peer.is_left().await);
    page_with(&rig, "gthulhu_dm_feed_peers{machine_id=\"node-1\"} 0").await;
    golden.check("readyz_feed_stopped", &rig.stranger().get("/readyz?verbose").await);
}

#[tokio::test]
async fn the_kernels_view_of_a_task_is_asked_for() {
    let rig = Rig::feeding(ProcTree::busy());
    push(&rig.client(), &numbered(3, 7)).await;
    let mut peer = Peer::scheduler(&rig.socket()).await;
    peer.set().await;
    let asking = tokio::spawn({
        let client = rig.client();
        async move { client.get("/api/v1/explain?pid=50").await }
    });
    let Frame::Explain(question) = peer.hear().await else { panic!() };
    assert_eq!(question.pid, 50);
    let task = TaskInKernel { source: "cgroup".to_owned(), priority: 10, ..TaskInKernel::default() };
    let unasked = Explanation { id: question.id + 1, pid: 50, ..Explanation::default() };
    peer.say(&Frame::Explanation(unasked)).await;
    let answer = Explanation { id: question.id, pid: 50, task: Some(task), text: "by name".to_owned() };
    peer.say(&Frame::Explanation(answer)).await;
    golden().check("explain_by_both", &asking.await.unwrap());
    drop(peer);
    page_with(&rig, "gthulhu_dm_feed_peers{machine_id=\"node-1\"} 0").await;
    golden().check("explain", &rig.client().get("/api/v1/explain?pid=50").await);
}

/// The strategies of `client` once they are those of these pids. Others are waited for.
async fn until_pids(client: &TestClient, expected: &[u64]) {
    let until = async { while pids(client).await != expected {} };
    tokio::time::timeout(Duration::from_secs(60), until)
        .await
        .unwrap_or_else(|_| panic!("never {expected:?}"));
}

#[tokio::test]
async fn what_a_monitor_tells_of_processes_counts_while_it_is_there() {
    let rig = Rig::feeding(ProcTree::busy());
    let client = rig.client();
    push(&client, &numbered(3, 7)).await;
    until_pids(&client, &[42, 50, 60, 43, 44]).await;
    let mut monitor = Peer::greet(&rig.socket(), Hello::new(Role::Monitor, "1")).await;
    let nginx = |pid, threads: &[u32]| {
        let thread = |&tid| Thread { tid, start: 9 };
        Change::Appeared(Process {
            id: ProcessId { pid, start: 9 },
            parent: 1,
            comm: Comm::new(b"nginx"),
            pod_uid: WEB.into(),
            container_id: None,
            threads: threads.iter().map(thread).collect(),
        })
    };
    let all = Processes { anew: true, ..Processes::changes(&[nginx(100, &[101]), nginx(200, &[])]) };
    monitor.say(&Frame::Processes(all)).await;
    until_pids(&client, &[100, 200, 101]).await;
    let shown = rig.stranger().get("/readyz?verbose").await;
    assert!(shown.text().contains("[+] processes: found by monitor\n"), "{}", shown.text());
    let gone = Change::Gone(ProcessId { pid: 200, start: 9 });
    monitor.say(&Frame::Processes(Processes::changes(&[gone, nginx(300, &[])]))).await;
    until_pids(&client, &[100, 300, 101]).await;
    drop(monitor);
    until_pids(&client, &[42, 50, 60, 43, 44]).await;
    let shown = rig.stranger().get("/readyz?verbose").await;
    assert!(shown.text().contains("[+] processes: found by proc-walk\n"), "{}", shown.text());
}

#[tokio::test]
async fn at_the_end_peers_hear_of_it_and_the_socket_is_gone() {
    let mut rig = Rig::feeding(ProcTree::busy());
    let mut peer = Peer::scheduler(&rig.socket()).await;
    peer.set().await;
    let socket = rig.socket();
    let (said, ()) = tokio::join!(peer.hear(), rig.stop_feeding());
    assert!(matches!(said, Frame::Bye(_)), "{said:?}");
    assert!(peer.is_left().await);
    assert!(!socket.exists());
}

fn frame_of(frame: &Frame) -> Vec<u8> {
    framed(&serde_json::to_vec(frame).unwrap())
}
