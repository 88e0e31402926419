//! What is said about a task, and about intents that nobody has pushed; and that saying it changes nothing.

use serde_json::{Value, json};

use crate::{
    rig::{Rig, golden, intents, numbered, pids},
    tree::{DB, IDLE, ProcTree, WEB},
};

const EXPLAIN: &str = "/api/v1/explain";
const PREVIEW: &str = "/api/v1/preview";
const INTENTS: &str = "/api/v1/intents";

#[tokio::test]
async fn a_task_is_explained_whatever_became_of_it() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    assert_eq!(client.post(INTENTS, &numbered(3, 7)).await.status, 200);
    assert_eq!(client.delete(INTENTS, &json!({"podId": WEB, "pid": 42})).await.status, 200);
    for (name, pid) in [
        ("explain", 50),
        ("explain_muted", 42),
        ("explain_pause", 10),
        ("explain_no_intent", 70),
        ("explain_not_in_pod", 1),
        ("explain_not_found", 99),
    ] {
        golden().check(name, &client.get(&format!("{EXPLAIN}?pid={pid}")).await);
    }
    for query in ["", "?pid=", "?pid=many", "?pid=0", "?pid=-1", "?pid=1.5", "?pid=4294967296", "?pid=1%202"]
    {
        golden().check("explain_bad_pid", &client.get(&format!("{EXPLAIN}{query}")).await);
    }
}

#[tokio::test]
async fn a_set_is_previewed() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    golden().check("preview_of_nothing", &client.post(PREVIEW, &json!({"intents": []})).await);
    let mut set = intents();
    set.push(json!({"podID": WEB, "priority": 1, "commandRegex": "nginx", "strategyID": "65f0c0ffee65f0c0ffee0003"}));
    set.push(json!({"podID": "nobody", "priority": 1}));
    let body = json!({"intents": set});
    golden().check("preview", &client.post(PREVIEW, &body).await);
    let of_one = format!("{PREVIEW}?strategyID=65f0c0ffee65f0c0ffee0001");
    golden().check("preview_of_one_strategy", &client.post(&of_one, &body).await);
    for query in ["?strategyID=", "?strategyID=65f0", "?strategyID=65f0c0ffee65f0c0ffee000%20"] {
        golden().check("preview_bad_strategy", &client.post(&format!("{PREVIEW}{query}"), &body).await);
    }
    golden().check("merkle_of_nothing", &client.get("/api/v1/intents/merkle").await);
    golden().check("strategies_of_nothing", &client.get("/api/v1/scheduling/strategies").await);
}

/// What a push would refuse, a preview refuses in the same words.
#[tokio::test]
async fn a_preview_is_refused_as_the_push_would_be() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    let with = |field: &str, value: Value| {
        let mut intents = intents();
        intents[1][field] = value;
        json!({"intents": intents, "epoch": 1, "generation": 1})
    };
    for (name, field, value) in [
        ("priority", "priority", json!(21)),
        ("slice", "executionTime", json!(99_999)),
        ("regex", "commandRegex", json!("(")),
        ("labels", "podLabels", json!({"app": "not valid"})),
        ("pod", "podID", json!("")),
        ("strategy", "strategyID", json!("short")),
    ] {
        golden().check(&format!("intents_push_bad_{name}"), &client.post(PREVIEW, &with(field, value)).await);
    }
    golden().check("intents_push_bad_body", &client.send("POST", PREVIEW, Some(b"{\"intents\":1}")).await);
    golden().check("intents_push_epoch_alone", &client.post(PREVIEW, &json!({"epoch": 1})).await);
    assert_eq!(client.post(INTENTS, &numbered(3, 7)).await.status, 200);
    golden().check("intents_push_superseded", &client.post(PREVIEW, &numbered(3, 6)).await);
    assert_eq!(client.post(PREVIEW, &numbered(3, 8)).await.status, 200);
    let unnumbered = client.post(PREVIEW, &json!({"intents": []})).await;
    assert_eq!(unnumbered.status, 200, "which numbers it will have is not known yet");
    golden().check("merkle", &client.get("/api/v1/intents/merkle").await);
}

/// Whatever is previewed, rows, state on disk, mutes and counters stay as they are.
#[tokio::test]
async fn a_preview_leaves_no_trace() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    assert_eq!(client.post(INTENTS, &numbered(3, 7)).await.status, 200);
    assert_eq!(client.delete(INTENTS, &json!({"podId": WEB, "pid": 44})).await.status, 200);
    let trace = async || {
        let page = rig.stranger().get("/metrics").await;
        let held: Vec<String> = page
            .text()
            .lines()
            .filter(|line| line.starts_with("gthulhu_dm_") && !line.contains("scan"))
            .map(str::to_owned)
            .collect();
        let files: Vec<_> = std::fs::read_dir(rig.state())
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                (path.clone(), std::fs::read(path).unwrap_or_default())
            })
            .collect();
        (pids(&client).await, client.get("/api/v1/intents/merkle").await.data(), held, files)
    };
    let before = trace().await;
    for set in [json!([]), json!([{"podID": IDLE, "priority": 1}]), json!([{"podID": DB}, {"podID": WEB}])] {
        assert_eq!(client.post(PREVIEW, &json!({"intents": set})).await.status, 200);
        assert_eq!(trace().await, before, "{set}");
    }
}
