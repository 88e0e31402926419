//! Creating, replacing, listing and deleting strategies, and every way in which each is refused.

use serde_json::{Value, json};

use crate::people::{ALICE, BOB, CAROL, DAVE, NOBODY};
use crate::rig::{Rig, STRATEGIES_PER_USER, golden};

const STRATEGIES: &str = "/api/v1/strategies";
const OWN: &str = "/api/v1/strategies/self";

pub(crate) fn web() -> Value {
    json!({
        "strategyNamespace": "default", "labelSelectors": [{"key": "app", "value": "web"}], "k8sNamespace": ["default"],
        "commandRegex": "nginx|worker", "priority": 10, "executionTime": 20_000_000,
    })
}

/// `web()` with one field changed.
pub(crate) fn but(field: &str, value: Value) -> Value {
    let mut strategy = web();
    strategy[field] = value;
    strategy
}

/// Every field that breaks a rule, by the name of its golden file.
pub(crate) fn broken() -> Vec<(&'static str, Value)> {
    vec![
        ("priority", but("priority", json!(21))),
        ("priority-negative", but("priority", json!(-1))),
        ("execution-time", but("executionTime", json!(99_999))),
        ("execution-time-negative", but("executionTime", json!(-1))),
        ("regex", but("commandRegex", json!("nginx("))),
        ("regex-long", but("commandRegex", json!("n".repeat(513)))),
        ("label-key", but("labelSelectors", json!([{"key": "app"}, {"key": "-app"}]))),
        ("label-value", but("labelSelectors", json!([{"key": "app", "value": "a b"}]))),
        ("namespace", but("k8sNamespace", json!(["default", "Default"]))),
    ]
}

/// Bodies that cannot be read.
pub(crate) fn unreadable() -> Vec<(&'static str, &'static str)> {
    vec![
        ("empty", ""),
        ("syntax", "{\"priority\":1"),
        ("trailing", "{} {}"),
        ("duplicate-key", "{\"priority\":1,\"priority\":2}"),
        ("fraction", "{\"priority\":1.5}"),
        ("too-large-number", "{\"priority\":1e400}"),
        ("string-number", "{\"executionTime\":\"5\"}"),
        ("not-an-object", "[]"),
    ]
}

#[tokio::test]
async fn create() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    golden("strategy-created", &alice.post(STRATEGIES, &web()).await);
    for (name, strategy) in broken() {
        golden(&format!("strategy-bad-{name}"), &alice.post(STRATEGIES, &strategy).await);
    }
    for (name, body) in unreadable() {
        golden(
            &format!("strategy-body-{name}"),
            &alice.send("POST", STRATEGIES, Some(body.as_bytes())).await,
        );
    }
    let nowhere = but("labelSelectors", json!([{"key": "app", "value": "nowhere"}]));
    golden("strategy-no-pods", &alice.post(STRATEGIES, &nowhere).await);
    let ended = but("labelSelectors", json!([{"key": "app", "value": "job"}]));
    golden("strategy-only-ended-pods", &alice.post(STRATEGIES, &ended).await);
    golden("strategy-allow-empty", &alice.post(&format!("{STRATEGIES}?allowEmpty=true"), &nowhere).await);
    golden("strategy-create-denied", &rig.user(CAROL).post(STRATEGIES, &web()).await);
    golden("strategy-out-of-scope", &rig.user(DAVE).post(STRATEGIES, &web()).await);
    let blind = Rig::start_blind();
    golden("strategy-blind", &blind.user(ALICE).post(STRATEGIES, &web()).await);
    golden("strategy-list-blind", &blind.user(ALICE).get(OWN).await);

    // What was refused is not there.
    let listed = alice.get(OWN).await.json::<Value>();
    assert_eq!(listed["data"]["strategies"].as_array().unwrap().len(), 2, "{listed}");
}

#[tokio::test]
async fn one_user_has_only_so_many() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let mut last = String::new();
    for _ in 0..STRATEGIES_PER_USER {
        last = rig.create(&alice, &web()).await;
    }
    golden("strategy-too-many", &alice.post(STRATEGIES, &web()).await);
    rig.create(&rig.user(BOB), &web()).await;
    assert_eq!(alice.delete(STRATEGIES, &json!({"strategyId": last})).await.status, 200);
    rig.create(&alice, &web()).await;
}

#[tokio::test]
async fn null_is_absent_and_the_zero_strategy_is_for_every_pod() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    for body in ["{}", "null", r#"{"priority":null,"labelSelectors":null,"k8sNamespace":[""],"unknown":1}"#] {
        assert_eq!(alice.send("POST", STRATEGIES, Some(body.as_bytes())).await.status, 200, "{body}");
    }
    rig.until_held("node-1", 6).await;
    rig.until("node-refusing", |status| status.error.is_some()).await;
    golden("strategies-of-zeroes", &alice.get(OWN).await);
}

#[tokio::test]
async fn list() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    golden("strategies-none", &alice.get(OWN).await);
    rig.create(&alice, &web()).await;
    rig.create(&alice, &json!({"labelSelectors": [{"key": "app", "value": "far"}]})).await;
    rig.until_held("node-1", 1).await;
    rig.until("node-refusing", |status| status.error.is_some()).await;
    golden("strategies", &alice.get(OWN).await);
    golden("strategies-of-another", &rig.user(BOB).get(OWN).await);
}

#[tokio::test]
async fn update() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let id = rig.create(&alice, &web()).await;
    let put = |mut strategy: Value, id: &str| {
        strategy["strategyId"] = json!(id);
        strategy
    };
    for (name, strategy) in broken() {
        let reply = alice.put(STRATEGIES, &put(strategy, &id)).await;
        golden(&format!("strategy-bad-{name}"), &reply);
    }
    golden("strategy-update-no-id", &alice.put(STRATEGIES, &web()).await);
    golden("strategy-malformed-id", &alice.put(STRATEGIES, &put(web(), "x")).await);
    golden("strategy-update-unknown", &alice.put(STRATEGIES, &put(web(), NOBODY)).await);
    golden("strategy-update-unknown", &rig.user(BOB).put(STRATEGIES, &put(web(), &id)).await);
    golden("strategy-create-denied", &rig.user(CAROL).put(STRATEGIES, &put(web(), &id)).await);
    golden("strategy-body-syntax", &alice.send("PUT", STRATEGIES, Some(b"{")).await);
    let nowhere = but("labelSelectors", json!([{"key": "app", "value": "nowhere"}]));
    golden("strategy-no-pods", &alice.put(STRATEGIES, &put(nowhere, &id)).await);
    golden("strategy-updated", &alice.put(STRATEGIES, &json!({"strategyID": id, "priority": 3})).await);
    rig.until_held("node-1", 2).await;
    rig.until("node-refusing", |status| status.error.is_some()).await;
    golden("strategies-after-update", &alice.get(OWN).await);
}

#[tokio::test]
async fn delete() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let id = rig.create(&alice, &web()).await;
    golden("strategy-delete-no-id", &alice.delete(STRATEGIES, &json!({})).await);
    golden("strategy-malformed-id", &alice.delete(STRATEGIES, &json!({"strategyId": "65f0"})).await);
    golden("strategy-delete-unknown", &alice.delete(STRATEGIES, &json!({"strategyId": NOBODY})).await);
    golden("strategy-delete-unknown", &rig.user(BOB).delete(STRATEGIES, &json!({"strategyId": id})).await);
    golden("strategy-create-denied", &rig.user(CAROL).delete(STRATEGIES, &json!({"strategyId": id})).await);
    golden("strategy-body-syntax", &alice.send("DELETE", STRATEGIES, Some(b"{")).await);
    rig.until_held("node-1", 1).await;
    golden("strategy-deleted", &alice.delete(STRATEGIES, &json!({"strategyId": id})).await);
    rig.until_held("node-1", 0).await;
    golden("strategies-none", &alice.get(OWN).await);
}
