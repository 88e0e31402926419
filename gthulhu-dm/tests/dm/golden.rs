//! One golden file for each route and for each way in which it can refuse.

use std::fs;

use gthulhu_dm::auth::Claims;
use gthulhu_http::{keys::PrivateKey, time::unix_now, tokens::Signer};
use serde_json::json;

use crate::{
    rig::{KEY, Rig, Settings, golden, intents, numbered},
    tree::{DB, ProcTree, WEB},
};

const STRATEGIES: &str = "/api/v1/scheduling/strategies";
const INTENTS: &str = "/api/v1/intents";
const MERKLE: &str = "/api/v1/intents/merkle";

#[tokio::test]
async fn the_open_routes() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.stranger();
    let golden = golden().replace(env!("CARGO_PKG_VERSION"), "VERSION");
    for (name, target) in [
        ("health", "/health"),
        ("version", "/version"),
        ("livez", "/livez"),
        ("unknown_path", "/nothing"),
        ("unknown_api_path", "/api/v1/nothing"),
        ("node_intents_are_not_served", "/api/v1/node-intents/merkle"),
        ("runtime_config_is_not_served", "/api/v1/runtime-config"),
    ] {
        golden.check(name, &client.get(target).await);
    }
    // Asking about processes waits for the first scan, which readiness is about.
    rig.client().get(STRATEGIES).await;
    golden.check("readyz", &client.get("/readyz").await);
    golden.check("readyz_verbose", &client.get("/readyz?verbose").await);
    golden.check("health_by_post", &client.send("POST", "/health", Some(b"{}")).await);
    golden.check("intents_by_put", &rig.client().send("PUT", INTENTS, Some(b"{}")).await);
}

#[tokio::test]
async fn tokens() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.stranger();
    let exchange = |public_key: String, client_id: &'static str| {
        let client = client.clone();
        async move {
            let body = json!({"public_key": public_key, "client_id": client_id, "expired_at": 0});
            client.post("/api/v1/auth/token", &body).await
        }
    };
    let given = exchange(KEY.public().to_pem(), "manager-client").await;
    let data = given.data();
    let expired_at = data["expired_at"].as_i64().unwrap();
    assert!((unix_now() + 86_300..=unix_now() + 86_400).contains(&expired_at), "24 hours");
    golden().replace(&expired_at.to_string(), "IN-24-HOURS").check("token", &given);
    let bearer = client.bearer(data["token"].as_str().unwrap());
    assert_eq!(bearer.get(MERKLE).await.status, 200, "the token is good");

    let body = json!({"public_key": KEY.public().to_pem()});
    let unnamed = client.post("/api/v1/auth/token", &body).await.data();
    let bearer = client.bearer(unnamed["token"].as_str().unwrap());
    assert_eq!(bearer.get(MERKLE).await.status, 200, "a caller without a name gets one too");

    let other = PrivateKey::generate().unwrap();
    golden().check("token_of_another_key", &exchange(other.public().to_pem(), "x").await);
    golden().check("token_of_no_key", &exchange("...".to_owned(), "x").await);
    golden().check("token_bad_body", &client.send("POST", "/api/v1/auth/token", Some(b"{")).await);
}

#[tokio::test]
async fn callers_without_a_good_token() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.stranger();
    let now = unix_now();
    let mine = Signer::new(&KEY);
    let stranger = Signer::new(&PrivateKey::generate().unwrap());
    let claims = |at| Claims::new("x", at, 3600);
    let foreign = Claims { iss: "bss-api-server".to_owned(), ..claims(now) };
    golden().check("no_token", &client.get(STRATEGIES).await);
    for other in ["Basic eDp5", "Bearer", "bearer x"] {
        let other = client.header("Authorization", other);
        golden().check("token_of_another_scheme", &other.get(STRATEGIES).await);
    }
    for (what, token) in [
        ("no JWT", "x".to_owned()),
        ("expired", mine.sign(&claims(now - 7200)).unwrap()),
        ("not valid yet", mine.sign(&claims(now + 600)).unwrap()),
        ("signed by another key", stranger.sign(&claims(now)).unwrap()),
        ("made for another service", mine.sign(&foreign).unwrap()),
    ] {
        let refused = client.bearer(&token).get(STRATEGIES).await;
        assert_eq!(refused.status, 401, "{what}");
        golden().check("invalid_token", &refused);
    }
}

/// No route but the open ones answers without a token, and none reads a body before it has seen one.
#[tokio::test]
async fn every_other_route_needs_a_token() {
    let rig = Rig::start(ProcTree::busy());
    let open = ["/health", "/version", "/livez", "/readyz", "/metrics", "/api/v1/auth/token"];
    let mut guarded = 0;
    for route in gthulhu_dm::api::routes() {
        if open.contains(&route.path()) {
            assert_eq!(route.policy(), "public", "{}", route.path());
            continue;
        }
        guarded += 1;
        let refused = rig.stranger().send(route.method().as_str(), route.path(), Some(b"{")).await;
        assert_eq!(refused.status, 401, "{} {}", route.method(), route.path());
    }
    assert_eq!(guarded, 8);
}

#[tokio::test]
async fn a_set_and_what_comes_of_it() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    golden().check("strategies_of_nothing", &client.get(STRATEGIES).await);
    golden().check("merkle_of_nothing", &client.get(MERKLE).await);
    golden().check("intents_push", &client.post(INTENTS, &numbered(3, 7)).await);
    golden().check("merkle", &client.get(MERKLE).await);
    golden().check("strategies", &client.get(STRATEGIES).await);
    golden().check("strategies_leaders", &client.get(&format!("{STRATEGIES}?threads=false")).await);
    golden().check("strategies_bad_threads", &client.get(&format!("{STRATEGIES}?threads=some")).await);
    golden().check("pods_pids", &client.get("/api/v1/pods/pids").await);
    golden()
        .check("intents_delete_process", &client.delete(INTENTS, &json!({"podId": WEB, "pid": 50})).await);
    golden().check("strategies_without_a_process", &client.get(STRATEGIES).await);
    golden().check("intents_delete_pod", &client.delete(INTENTS, &json!({"podID": DB})).await);
    golden().check("merkle_edited", &client.get(MERKLE).await);
    golden().check("intents_delete_all", &client.delete(INTENTS, &json!({"all": true})).await);
    golden().check("merkle_after_delete_all", &client.get(MERKLE).await);
}

#[tokio::test]
async fn an_empty_node() {
    let rig = Rig::start(ProcTree::bare());
    golden().check("pods_pids_of_nothing", &rig.client().get("/api/v1/pods/pids").await);
}

#[tokio::test]
async fn pushes_that_are_refused() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    golden().check("intents_push_bad_body", &client.send("POST", INTENTS, Some(b"{\"intents\":1}")).await);
    golden().check("intents_push_epoch_alone", &client.post(INTENTS, &json!({"epoch": 1})).await);
    golden()
        .check("intents_push_epoch_zero", &client.post(INTENTS, &json!({"epoch": 0, "generation": 1})).await);
    let with = |field: &str, value: serde_json::Value| {
        let mut intents = intents();
        intents[1][field] = value;
        json!({"intents": intents, "epoch": 1, "generation": 1})
    };
    for (name, field, value) in [
        ("priority", "priority", json!(21)),
        ("negative_priority", "priority", json!(-1)),
        ("slice", "executionTime", json!(99_999)),
        ("regex", "commandRegex", json!("(")),
        ("labels", "podLabels", json!({"app": "not valid"})),
        ("pod", "podID", json!("")),
        ("namespace", "k8sNamespace", json!("Not_A_Label")),
        ("strategy", "strategyID", json!("short")),
    ] {
        golden().check(&format!("intents_push_bad_{name}"), &client.post(INTENTS, &with(field, value)).await);
    }
    let many: Vec<_> = (0..=1024).map(|n| json!({"podID": WEB, "commandRegex": format!("r{n}")})).collect();
    golden().check("intents_push_too_many_regexes", &client.post(INTENTS, &json!({"intents": many})).await);
    let problem = client.header("Accept", "application/problem+json").header("X-Request-ID", "req-1");
    golden().check("intents_push_problem", &problem.post(INTENTS, &with("priority", json!(21))).await);
    golden().check("merkle_of_nothing", &client.get(MERKLE).await);

    assert_eq!(client.post(INTENTS, &numbered(3, 7)).await.status, 200);
    golden().check("intents_push_superseded", &client.post(INTENTS, &numbered(3, 6)).await);
    golden().check("intents_push_unnumbered", &client.post(INTENTS, &json!({"intents": []})).await);
    golden().check("intents_delete_bad_body", &client.send("DELETE", INTENTS, Some(b"{\"podId\":1}")).await);
    golden().check("intents_delete_nothing_named", &client.delete(INTENTS, &json!({"all": false})).await);
    golden().check("intents_delete_pid_alone", &client.delete(INTENTS, &json!({"pid": 42})).await);
    golden().check("merkle", &client.get(MERKLE).await);
}

#[tokio::test]
async fn scheduler_metrics() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    let before = rig.stranger().get("/metrics").await;
    assert!(!before.text().contains("nr_queued"), "nothing was posted yet");
    golden().check("metrics_post", &client.post("/api/v1/metrics", &json!({"nr_queued": 7})).await);
    let negative = client.post("/api/v1/metrics", &json!({"nr_queued": -1})).await;
    golden().check("metrics_post_bad_body", &negative);
    client.post(INTENTS, &numbered(3, 7)).await;

    let page = rig.stranger().get("/metrics").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/plain; version=0.0.4")));
    for line in [
        "nr_queued{machine_id=\"node-1\"} 7",
        "nr_running{machine_id=\"node-1\"} 0",
        "gthulhu_dm_intents{machine_id=\"node-1\"} 3",
        "gthulhu_dm_governed_tasks{machine_id=\"node-1\"} 5",
        "gthulhu_dm_epoch{machine_id=\"node-1\"} 3",
        "gthulhu_dm_generation{machine_id=\"node-1\"} 7",
        "gthulhu_dm_pushes_total{machine_id=\"node-1\"} 1",
    ] {
        assert!(page.text().lines().any(|shown| shown == line), "{line} is not in\n{}", page.text());
    }
    let names: Vec<&str> = page.text().lines().filter(|line| line.starts_with("# TYPE")).collect();
    golden().check_text("metrics_names.txt", &(names.join("\n") + "\n"));
}

#[tokio::test]
async fn a_node_that_cannot_see_its_processes() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    assert_eq!(client.post(INTENTS, &numbered(3, 7)).await.status, 200);
    let hidden = rig.tree.path().with_extension("hidden");
    fs::rename(rig.tree.path(), &hidden).unwrap();
    golden().check("strategies_without_proc", &client.get(STRATEGIES).await);
    golden().check("preview_without_proc", &client.post("/api/v1/preview", &json!({"intents": []})).await);
    golden().check("explain_without_proc", &client.get("/api/v1/explain?pid=50").await);
    golden().check("pods_pids_without_proc", &client.get("/api/v1/pods/pids").await);
    golden().check("intents_push_without_proc", &client.post(INTENTS, &numbered(3, 8)).await);
    let gone = golden().replace(&rig.tree.path().display().to_string(), "PROC");
    gone.check("readyz_without_proc", &rig.stranger().get("/readyz?verbose").await);
    fs::rename(&hidden, rig.tree.path()).unwrap();
    golden().check("strategies", &client.get(STRATEGIES).await);
    golden().check("merkle", &client.get(MERKLE).await);
}

#[tokio::test]
async fn a_node_that_cannot_write_its_state() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    assert_eq!(client.post(INTENTS, &numbered(3, 7)).await.status, 200);
    let hidden = rig.state().with_extension("hidden");
    fs::rename(rig.state(), &hidden).unwrap();
    golden().check("intents_push_not_stored", &client.post(INTENTS, &numbered(3, 8)).await);
    golden().check("intents_delete_pod_not_stored", &client.delete(INTENTS, &json!({"podId": DB})).await);
    golden().check("intents_delete_all_not_stored", &client.delete(INTENTS, &json!({"all": true})).await);
    assert_eq!(rig.stranger().get("/readyz").await.status, 503);
    golden().check("merkle", &client.get(MERKLE).await);
    golden().check("strategies", &client.get(STRATEGIES).await);
    fs::rename(&hidden, rig.state()).unwrap();
    assert_eq!(client.post(INTENTS, &numbered(3, 8)).await.status, 200);
    assert_eq!(rig.stranger().get("/readyz").await.status, 200);
}

#[tokio::test]
async fn any_priority_can_be_accepted_and_is_echoed() {
    let settings = Settings { accept_any_priority: true, threads: false, ..Settings::default() };
    let rig = Rig::start_with(ProcTree::busy(), settings);
    let client = rig.client();
    let intents = json!([{"podID": WEB, "priority": 4000}, {"podID": DB, "priority": -5}]);
    assert_eq!(client.post(INTENTS, &json!({"intents": intents})).await.status, 200);
    golden().check("strategies_of_any_priority", &client.get(STRATEGIES).await);
}
