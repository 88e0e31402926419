//! Nodes, and decision makers that answer, mumble, hang or are not there.

use std::sync::{Arc, Mutex};

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::{Public, Route};
use gthulhu_http::testkit::TestServer;
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::digest::hex;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::wire::IntentsBody;
use http::Method;
use serde_json::json;

use crate::people::{ALICE, CAROL};
use crate::rig::{Rig, golden};

/// A decision maker that takes what it is sent. The real one is tried in the whole system's own tests.
pub(crate) fn answering() -> TestServer {
    type Held = Mutex<IntentsBody>;
    async fn push(held: Arc<Held>, (): (), call: Call) -> Result<Reply, HttpError> {
        *held.lock().unwrap() = call.json("bad")?;
        Ok(Reply::done())
    }
    async fn merkle(held: Arc<Held>, (): (), _: Call) -> Result<Reply, HttpError> {
        let body = held.lock().unwrap().clone();
        let set = IntentSet::check(body.intents, &Limits::default()).unwrap();
        Ok(Reply::data(&json!({
            "rootHash": hex(&set.merkle_root()), "digest": hex(&set.digest()), "edited": false,
            "epoch": body.epoch, "generation": body.generation,
        })))
    }
    async fn pids(_: Arc<Held>, (): (), _: Call) -> Result<Reply, HttpError> {
        let process = json!({"pid": 4242, "command": "nginx", "ppid": 1, "container_id": "10ec"});
        let pod = json!({"pod_uid": "0a000000-0000-4000-8000-000000000001", "processes": [process]});
        Ok(Reply::data(
            &json!({"pods": [pod], "timestamp": "2026-03-10T09:08:07Z", "node_name": "dm-of-node-1"}),
        ))
    }
    let routes = vec![
        Route::new(Method::POST, "/api/v1/intents", Public, push, "Takes a set."),
        Route::new(Method::GET, "/api/v1/intents/merkle", Public, merkle, "Names the set."),
        Route::new(Method::GET, "/api/v1/pods/pids", Public, pids, "Lists processes."),
    ];
    TestServer::start(Arc::new(Held::default()), routes)
}

/// A decision maker whose answers are not those of one.
pub(crate) fn mumbling() -> TestServer {
    async fn mumble(_: Arc<()>, (): (), _: Call) -> Result<Reply, HttpError> {
        Ok(Reply::text("text/plain", "good morning"))
    }
    let route = |path| Route::new(Method::GET, path, Public, mumble, "Mumbles.");
    TestServer::start(Arc::new(()), vec![route("/api/v1/intents/merkle"), route("/api/v1/pods/pids")])
}

#[tokio::test]
async fn nodes_are_listed_with_what_their_decision_makers_show() {
    let rig = Rig::start();
    for node in ["node-1", "node-refusing", "node-mumbling", "node-hanging"] {
        rig.until(node, |status| status.reachable.is_some()).await;
    }
    golden("nodes", &rig.user(ALICE).get("/api/v1/nodes").await);
    golden("nodes-denied", &rig.user(CAROL).get("/api/v1/nodes").await);
}

#[tokio::test]
async fn a_nodes_processes_are_passed_on_and_every_failure_has_its_own_answer() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    for (name, node) in [
        ("pods-pids", "node-1"),
        ("pods-pids-unknown-node", "node-x"),
        ("pods-pids-no-decision-maker", "node-bare"),
        ("pods-pids-refused-connection", "node-refusing"),
        ("pods-pids-nonsense", "node-mumbling"),
        ("pods-pids-hanging", "node-hanging"),
    ] {
        golden(name, &alice.get(&format!("/api/v1/nodes/{node}/pods/pids")).await);
    }
    golden("pods-pids-denied", &rig.user(CAROL).get("/api/v1/nodes/node-1/pods/pids").await);
    let blind = Rig::start_blind();
    golden("pods-pids-blind", &blind.user(ALICE).get("/api/v1/nodes/node-1/pods/pids").await);
}
