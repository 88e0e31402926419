//! Why a process or a pod has its strategies: whole answers, and every question that is none.

use serde_json::{Value, json};

use crate::people::{ALICE, CAROL, DAVE};
use crate::rig::{Rig, golden};
use crate::strategies::{but, web};

const EXPLAIN: &str = "/api/v1/explain";

async fn governed() -> Rig {
    let rig = Rig::start_spread();
    let alice = rig.user(ALICE);
    rig.create(&alice, &web()).await;
    rig.create(&alice, &but("commandRegex", json!("^nginx$"))).await;
    rig.create(&alice, &json!({"labelSelectors": [{"key": "app", "value": "db"}], "k8sNamespace": ["prod"]}))
        .await;
    rig.until_held("node-1", 4).await;
    // What went wrong on a node is told of its pods, once it went wrong.
    for node in ["node-hanging", "node-mumbling"] {
        rig.until(node, |status| status.error.is_some()).await;
    }
    rig
}

#[tokio::test]
async fn a_process_is_explained_by_its_node_and_its_pod() {
    let rig = governed().await;
    let alice = rig.user(ALICE);
    for (name, pid) in [
        ("explain-process", 42),
        ("explain-thread-name", 50),
        ("explain-pause", 10),
        ("explain-not-in-pod", 1),
        ("explain-nobody", 4242),
    ] {
        golden(name, &alice.get(&format!("{EXPLAIN}?node=node-1&pid={pid}")).await);
    }
    for node in ["hanging", "mumbling", "refusing", "bare"] {
        let reply = alice.get(&format!("{EXPLAIN}?node=node-{node}&pid=42")).await;
        golden(&format!("explain-node-{node}"), &reply);
    }
    golden("explain-unknown-node", &alice.get(&format!("{EXPLAIN}?node=node-x&pid=42")).await);
}

#[tokio::test]
async fn a_pod_is_explained_with_what_its_node_sees() {
    let rig = governed().await;
    let alice = rig.user(ALICE);
    for (name, pod) in [
        ("explain-pod", "default/web-0"),
        ("explain-pod-not-scheduled", "default/web-1"),
        ("explain-pod-ended", "default/job-0"),
        ("explain-pod-on-hanging-node", "prod/lost-0"),
        ("explain-pod-on-go-node", "prod/lost-1"),
        ("explain-pod-unknown", "default/nobody"),
    ] {
        golden(name, &alice.get(&format!("{EXPLAIN}?pod={pod}")).await);
    }
}

#[tokio::test]
async fn a_question_without_one_subject_is_refused() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    for query in
        ["", "?node=node-1", "?pid=42", "?node=node-1&pid=42&pod=default/web-0", "?pod=default/web-0&pid=1"]
    {
        golden("explain-no-subject", &alice.get(&format!("{EXPLAIN}{query}")).await);
    }
    for pid in ["", "many", "0", "-1", "1.5", "4294967296", "1%202"] {
        golden("explain-bad-pid", &alice.get(&format!("{EXPLAIN}?node=node-1&pid={pid}")).await);
    }
    for pod in ["", "web-0", "/web-0", "default/", "default/web-0/nginx"] {
        golden("explain-bad-pod", &alice.get(&format!("{EXPLAIN}?pod={pod}")).await);
    }
    golden("explain-denied", &rig.user(CAROL).get(&format!("{EXPLAIN}?pod=default/web-0")).await);
    let blind = Rig::start_blind();
    golden("explain-blind", &blind.user(ALICE).get(&format!("{EXPLAIN}?pod=default/web-0")).await);
    golden("explain-node-blind", &blind.user(ALICE).get(&format!("{EXPLAIN}?node=node-1&pid=1")).await);
}

/// To one confined to `prod`, processes and pods of other namespaces are not there, and neither is what is in no pod.
#[tokio::test]
async fn who_is_confined_to_a_namespace_hears_of_no_other() {
    let rig = governed().await;
    let dave = rig.user(DAVE);
    let nobody = dave.get(&format!("{EXPLAIN}?node=node-1&pid=4242")).await.json::<Value>()["data"].take();
    for pid in [1, 10, 42, 43, 50] {
        let told = dave.get(&format!("{EXPLAIN}?node=node-1&pid={pid}")).await;
        let said = told.text().replace(&format!("\"pid\":{pid}"), "\"pid\":4242");
        let said = serde_json::from_str::<Value>(&said).unwrap()["data"].take();
        assert_eq!(said, nobody, "as if there was no process {pid}");
    }
    for pod in ["default/web-0", "default/nobody", "prod/nobody"] {
        golden("explain-pod-unknown", &dave.get(&format!("{EXPLAIN}?pod={pod}")).await);
    }
    golden("explain-confined-process", &dave.get(&format!("{EXPLAIN}?node=node-1&pid=60")).await);
    golden("explain-confined-pod", &dave.get(&format!("{EXPLAIN}?pod=prod/db-0")).await);
}
