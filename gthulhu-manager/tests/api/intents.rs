//! Listing intents and excluding some, and every way in which each is refused.

use serde_json::{Value, json};

use crate::people::{ALICE, BOB, CAROL, NOBODY};
use crate::rig::{Rig, golden};

const INTENTS: &str = "/api/v1/intents";
const OWN: &str = "/api/v1/intents/self";

fn all_pods() -> Value {
    json!({"priority": 10, "executionTime": 20_000_000, "commandRegex": "nginx"})
}

/// The ids of the caller's intents, with the name of each pod.
async fn ids(client: &gthulhu_http::testkit::TestClient) -> Vec<(String, String)> {
    let listed = client.get(OWN).await.json::<Value>();
    let text = |intent: &Value, field: &str| intent[field].as_str().unwrap().to_owned();
    let intents = listed["data"]["intents"].as_array().unwrap();
    intents.iter().map(|intent| (text(intent, "PodName"), text(intent, "ID"))).collect()
}

#[tokio::test]
async fn list() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    golden("intents-none", &alice.get(OWN).await);
    rig.create(&alice, &all_pods()).await;
    rig.until_held("node-1", 2).await;
    rig.until("node-refusing", |status| status.error.is_some()).await;
    golden("intents", &alice.get(OWN).await);
    golden("intents-none", &rig.user(BOB).get(OWN).await);
    golden("intents-denied", &rig.user(CAROL).get(OWN).await);
}

#[tokio::test]
async fn an_excluded_intent_stays_away_until_its_strategy_is_replaced() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let strategy = rig.create(&alice, &all_pods()).await;
    rig.until_held("node-1", 2).await;
    let (_, web) = ids(&alice).await.into_iter().find(|(pod, _)| pod == "web-0").unwrap();

    golden("intents-deleted", &alice.delete(INTENTS, &json!({"intentIds": [web]})).await);
    rig.until_held("node-1", 1).await;
    assert!(ids(&alice).await.iter().all(|(pod, _)| pod != "web-0"));
    golden("intents-excluded", &alice.get(&format!("{OWN}?excluded=true")).await);
    golden("intents-not-found", &alice.delete(INTENTS, &json!({"intentIds": [web]})).await);

    let mut again = all_pods();
    again["strategyId"] = json!(strategy);
    assert_eq!(alice.put("/api/v1/strategies", &again).await.status, 200);
    rig.until_held("node-1", 2).await;
    golden("intents-none", &alice.get(&format!("{OWN}?excluded=true")).await);
}

#[tokio::test]
async fn a_deletion_is_all_or_nothing() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    rig.create(&alice, &all_pods()).await;
    rig.until_held("node-1", 2).await;
    let (_, web) = ids(&alice).await.swap_remove(0);
    let delete = |client: gthulhu_http::testkit::TestClient, ids: Value| async move {
        client.delete(INTENTS, &json!({"intentIds": ids})).await
    };
    golden("intents-no-ids", &delete(alice.clone(), json!([])).await);
    golden("intents-no-ids", &alice.delete(INTENTS, &json!({})).await);
    golden("intents-malformed-id", &delete(alice.clone(), json!([web, "x"])).await);
    golden("intents-not-found", &delete(alice.clone(), json!([web, NOBODY])).await);
    golden("intents-not-found", &delete(rig.user(BOB), json!([web])).await);
    golden("intents-denied", &delete(rig.user(CAROL), json!([web])).await);
    golden("intents-bad-body", &delete(alice.clone(), json!("all")).await);
    assert_eq!(ids(&alice).await.len(), 3);
    // The same one twice is one.
    assert_eq!(delete(alice.clone(), json!([web, web])).await.status, 200);
    assert_eq!(ids(&alice).await.len(), 2);
}
