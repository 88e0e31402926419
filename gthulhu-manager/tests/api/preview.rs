//! What creating a strategy would do: asked before, compared with what it did, and kept from those who may not know.

use serde_json::{Value, json};

use crate::people::{ALICE, BOB, CAROL, DAVE};
use crate::rig::{Rig, STRATEGIES_PER_USER, golden};
use crate::strategies::{broken, but, unreadable, web};

const STRATEGIES: &str = "/api/v1/strategies";
const PREVIEW: &str = "/api/v1/strategies/preview";

/// For the pods of `prod`, and within the scope of [`DAVE`].
fn in_prod() -> Value {
    json!({"labelSelectors": [{"key": "app", "value": "db"}], "k8sNamespace": ["prod"], "priority": 3})
}

#[tokio::test]
async fn a_preview_tells_pods_processes_and_near_misses_and_changes_nothing() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    golden("preview", &alice.post(PREVIEW, &web()).await);
    golden("preview-every-pod", &alice.post(PREVIEW, &json!({})).await);
    let nowhere = but("labelSelectors", json!([{"key": "app", "value": "nowhere"}]));
    golden("preview-no-pods", &alice.post(PREVIEW, &nowhere).await);
    golden("preview-allow-empty", &alice.post(&format!("{PREVIEW}?allowEmpty=true"), &nowhere).await);
    golden("strategies-none", &alice.get("/api/v1/strategies/self").await);
    let audited = alice.get("/api/v1/audit?verb=strategy.create").await.json::<Value>();
    assert_eq!(audited["data"]["records"], json!([]), "{audited}");
}

#[tokio::test]
async fn a_preview_is_refused_as_the_creation_is() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    for (name, strategy) in broken() {
        golden(&format!("strategy-bad-{name}"), &alice.post(PREVIEW, &strategy).await);
    }
    for (name, body) in unreadable() {
        golden(&format!("strategy-body-{name}"), &alice.send("POST", PREVIEW, Some(body.as_bytes())).await);
    }
    golden("strategy-create-denied", &rig.user(CAROL).post(PREVIEW, &web()).await);
    golden("strategy-out-of-scope", &rig.user(DAVE).post(PREVIEW, &web()).await);
    let blind = Rig::start_blind();
    golden("strategy-blind", &blind.user(ALICE).post(PREVIEW, &web()).await);
    golden("preview-blind", &blind.user(ALICE).post(&format!("{PREVIEW}?allowEmpty=true"), &web()).await);
    for _ in 0..STRATEGIES_PER_USER {
        rig.create(&alice, &web()).await;
    }
    golden("strategy-too-many", &alice.post(PREVIEW, &web()).await);
    let long = format!("{{\"strategyNamespace\":\"{}\"}}", "x".repeat(256 << 10));
    assert_eq!(alice.send("POST", PREVIEW, Some(long.as_bytes())).await.status, 413);
}

#[tokio::test]
async fn conflicts_say_who_wins() {
    let rig = Rig::start();
    let (alice, bob) = (rig.user(ALICE), rig.user(BOB));
    rig.create(&bob, &but("priority", json!(3))).await;
    rig.create(&alice, &but("commandRegex", json!("worker"))).await;
    rig.create(&alice, &but("commandRegex", json!("nothing has this name"))).await;
    golden("preview-conflicts", &alice.post(PREVIEW, &web()).await);
    golden("preview-conflicts-strongest", &alice.post(PREVIEW, &but("priority", json!(1))).await);
}

#[tokio::test]
async fn nodes_that_do_not_tell_are_unknown() {
    let rig = Rig::start_spread();
    golden("preview-unknown-nodes", &rig.user(ALICE).post(PREVIEW, &in_prod()).await);
}

/// The first strategy that mentions a pod, a label or a process of another namespace to one confined to `prod` has told
/// too much.
#[tokio::test]
async fn who_is_confined_to_a_namespace_hears_of_no_other() {
    let rig = Rig::start();
    let dave = rig.user(DAVE);
    rig.create(&rig.user(ALICE), &json!({})).await;
    let near = json!({"labelSelectors": [{"key": "app", "value": "web"}], "k8sNamespace": ["prod"]});
    for (name, strategy) in [("preview-confined", in_prod()), ("preview-confined-near", near)] {
        let reply = dave.post(PREVIEW, &strategy).await;
        for secret in ["web-0", "web-1", "far-0", "job-0", "\"default\"", "nginx", "000000000001"] {
            assert!(!reply.text().contains(secret), "{secret} is in {}", reply.text());
        }
        golden(name, &reply);
    }
}

#[tokio::test]
async fn what_was_foretold_is_what_the_node_then_does() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    rig.create(&alice, &but("commandRegex", json!("^nginx$"))).await;
    rig.until_held("node-1", 1).await;
    let told = alice.post(PREVIEW, &web()).await.json::<Value>()["data"].take();
    let foretold = told["pods"][0]["seen"].clone();
    assert_eq!((&foretold["matched"], &foretold["wins"]), (&json!(2), &json!(1)), "{told}");
    let id = rig.create(&alice, &web()).await;
    rig.until_held("node-1", 2).await;
    let why = alice.get("/api/v1/explain?pod=default/web-0").await.json::<Value>()["data"].take();
    let strategies = why["pod"]["strategies"].as_array().unwrap();
    let new = strategies.iter().find(|strategy| strategy["strategyID"] == json!(id)).unwrap();
    assert_eq!(new["seen"], foretold, "{why}");
    assert_eq!(new["accepted"], true);
    assert_eq!(alice.delete(STRATEGIES, &json!({"strategyId": id})).await.status, 200);
}
