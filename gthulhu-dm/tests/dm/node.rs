//! What a node holds, from push to push and across restarts.

use gthulhu_http::testkit::TestClient;
use serde_json::{Value, json};

use crate::{
    rig::{Rig, Settings, intents, numbered, pids},
    tree::{DB, IDLE, ProcTree, WEB},
};

const INTENTS: &str = "/api/v1/intents";

/// All governed tasks of the busy tree: leaders, then threads.
const ALL: [u64; 5] = [42, 50, 60, 43, 44];

async fn held(client: &TestClient) -> Value {
    client.get("/api/v1/intents/merkle").await.data()
}

async fn push(client: &TestClient, body: &Value) -> u16 {
    client.post(INTENTS, body).await.status
}

#[tokio::test]
async fn only_newer_pushes_replace_the_set_and_a_repeated_one_restores_it() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    let empty = |epoch, generation| json!({"intents": [], "epoch": epoch, "generation": generation});
    assert_eq!(push(&client, &json!({"intents": intents()})).await, 200, "unnumbered, before any number");
    assert_eq!(push(&client, &numbered(3, 7)).await, 200);
    let pushed = held(&client).await;
    for (what, body, status) in [
        ("the same", numbered(3, 7), 200),
        ("another set under the same numbers", empty(3, 7), 409),
        ("an older generation", numbered(3, 6), 409),
        ("an older epoch", empty(2, 900), 409),
        ("unnumbered", json!({"intents": intents()}), 409),
    ] {
        assert_eq!(push(&client, &body).await, status, "{what}");
        assert_eq!(held(&client).await, pushed, "{what}");
    }
    assert_eq!(client.delete(INTENTS, &json!({"podId": WEB})).await.status, 200);
    assert_eq!(held(&client).await["edited"], true);
    assert_eq!(held(&client).await["generation"], 7);
    assert_eq!(pids(&client).await, [60]);
    assert_eq!(push(&client, &numbered(3, 7)).await, 200);
    assert_eq!(held(&client).await, pushed, "restored, and not edited any more");
    assert_eq!(pids(&client).await, ALL);
    assert_eq!(push(&client, &empty(4, 1)).await, 200, "a new epoch starts again at 1");
    assert_eq!(pids(&client).await, [0; 0]);
}

#[tokio::test]
async fn a_refusal_says_what_is_held() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    push(&client, &numbered(3, 7)).await;
    let refused = client.post(INTENTS, &numbered(3, 6)).await.json::<Value>();
    assert_eq!((&refused["heldEpoch"], &refused["heldGeneration"]), (&json!(3), &json!(7)));
}

#[tokio::test]
async fn unnumbered_pushes_can_be_accepted_and_count_as_edits() {
    let settings = Settings { accept_unnumbered: true, ..Settings::default() };
    let rig = Rig::start_with(ProcTree::busy(), settings);
    let client = rig.client();
    push(&client, &numbered(3, 7)).await;
    assert_eq!(push(&client, &json!({"intents": [{"podID": DB}]})).await, 200);
    let now = held(&client).await;
    assert_eq!((&now["epoch"], &now["generation"], &now["edited"]), (&json!(3), &json!(7), &json!(true)));
    assert_eq!(pids(&client).await, [60]);
    assert_eq!(push(&client, &numbered(3, 6)).await, 409, "older numbered ones stay refused");
}

#[tokio::test]
async fn a_process_is_muted_until_the_next_push() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    push(&client, &numbered(3, 7)).await;
    let before = held(&client).await;
    for (what, body, expected, edited) in [
        ("a process of a pod without intents", json!({"podId": IDLE, "pid": 70}), ALL.to_vec(), false),
        ("a process of another pod", json!({"podId": DB, "pid": 42}), ALL.to_vec(), false),
        ("no process", json!({"podId": WEB, "pid": 99}), ALL.to_vec(), false),
        ("no pod", json!({"podId": "nobody"}), ALL.to_vec(), false),
        ("a thread", json!({"podId": WEB, "pid": 44}), vec![42, 50, 60, 43], true),
        ("a process with its threads", json!({"podId": WEB, "pid": 42}), vec![50, 60], true),
    ] {
        assert_eq!(client.delete(INTENTS, &body).await.status, 200, "{what}");
        assert_eq!(pids(&client).await, expected, "{what}");
        assert_eq!(held(&client).await["edited"], edited, "{what}");
    }
    assert_eq!(held(&client).await["digest"], before["digest"], "the set itself is as it was");
    let rig = rig.restart().await;
    let client = rig.client();
    assert_eq!(pids(&client).await, [50, 60], "muted across a restart");
    push(&client, &numbered(3, 7)).await;
    assert_eq!(pids(&client).await, ALL);
}

#[tokio::test]
async fn another_process_with_a_muted_number_is_not_muted() {
    let rig = Rig::start(ProcTree::busy());
    push(&rig.client(), &numbered(3, 7)).await;
    rig.client().delete(INTENTS, &json!({"podId": DB, "pid": 60})).await;
    let tree = &rig.tree;
    tree.end(60);
    tree.in_pod_since(DB, 60, 1, "postgres", 900);
    let rig = rig.restart().await;
    assert_eq!(pids(&rig.client()).await, ALL);
}

#[tokio::test]
async fn a_restart_changes_nothing() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    push(&client, &numbered(3, 7)).await;
    client.delete(INTENTS, &json!({"podId": DB})).await;
    let (before, rows) = (held(&client).await, pids(&client).await);
    let rig = rig.restart().await;
    let client = rig.client();
    assert_eq!(pids(&client).await, rows);
    assert_eq!(held(&client).await, before);
    assert_eq!(push(&client, &numbered(3, 6)).await, 409, "the numbers are still held");
    assert_eq!(push(&client, &numbered(3, 7)).await, 200);
    assert_eq!(pids(&client).await, ALL);
}

#[tokio::test]
async fn every_look_sees_the_processes_of_that_moment() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    push(&client, &numbered(3, 7)).await;
    rig.tree.end(50);
    rig.tree.in_pod(WEB, 51, 42, "nginx-worker");
    rig.tree.thread(42, 45);
    assert_eq!(pids(&client).await, [42, 51, 60, 43, 44, 45]);
}

/// Callers who ask at the same time all get whole answers, whatever changes in between.
#[tokio::test(flavor = "multi_thread")]
async fn many_callers_at_once_get_whole_answers() {
    let rig = Rig::start(ProcTree::busy());
    push(&rig.client(), &numbered(1, 1)).await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = rig.client();
        callers.spawn(async move { pids(&client).await });
    }
    for generation in 2..10 {
        let set = if generation % 2 == 0 { json!([]) } else { json!(intents()) };
        let body = json!({"intents": set, "epoch": 1, "generation": generation});
        assert_eq!(push(&rig.client(), &body).await, 200);
    }
    while let Some(rows) = callers.join_next().await {
        let rows = rows.unwrap();
        assert!(rows.is_empty() || rows == ALL, "{rows:?}");
    }
}
