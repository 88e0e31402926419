//! Nodes, and decision makers that answer, mumble, hang or are not there.

use std::sync::{Arc, Mutex};

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::{Public, Route};
use gthulhu_http::testkit::TestServer;
use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::digest::hex;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::wire::preview::{ExplainReply, PreviewReply};
use gthulhu_lib::wire::{IntentsBody, feed};
use http::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::people::{ALICE, CAROL};
use crate::pods;
use crate::rig::{Rig, golden};

/// What the decision maker of node-1 holds, and the engine that it asks about its processes.
struct Dm {
    held: Mutex<IntentsBody>,
    engine: Mutex<Engine>,
    _tree: TempDir,
}

/// A decision maker that takes what it is sent, and resolves it over planted processes. The real one is tried in the
/// whole system's own tests.
pub(crate) fn answering() -> TestServer {
    async fn push(dm: Arc<Dm>, (): (), call: Call) -> Result<Reply, HttpError> {
        let body: IntentsBody = call.json("bad")?;
        let set = IntentSet::check(body.intents.clone(), &Limits::default()).unwrap();
        dm.engine.lock().unwrap().apply(set).unwrap();
        *dm.held.lock().unwrap() = body;
        Ok(Reply::done())
    }
    async fn merkle(dm: Arc<Dm>, (): (), _: Call) -> Result<Reply, HttpError> {
        let body = dm.held.lock().unwrap().clone();
        let set = IntentSet::check(body.intents, &Limits::default()).unwrap();
        Ok(Reply::data(&json!({
            "rootHash": hex(&set.merkle_root()), "digest": hex(&set.digest()), "edited": false,
            "epoch": body.epoch, "generation": body.generation,
        })))
    }
    async fn pids(_: Arc<Dm>, (): (), _: Call) -> Result<Reply, HttpError> {
        let process = json!({"pid": 4242, "command": "nginx", "ppid": 1, "container_id": "10ec"});
        let pod = json!({"pod_uid": "0a000000-0000-4000-8000-000000000001", "processes": [process]});
        Ok(Reply::data(
            &json!({"pods": [pod], "timestamp": "2026-03-10T09:08:07Z", "node_name": "dm-of-node-1"}),
        ))
    }
    async fn preview(dm: Arc<Dm>, (): (), call: Call) -> Result<Reply, HttpError> {
        let body: IntentsBody = call.json("bad")?;
        let set = IntentSet::check(body.intents, &Limits::default()).unwrap();
        let preview = dm.engine.lock().unwrap().preview(set).unwrap();
        let told = preview.report(call.query("strategyID").map(|id| id.parse().unwrap()));
        Ok(Reply::data(&PreviewReply { node_name: "node-1".into(), source: "planted".into(), ..told }))
    }
    async fn explain(dm: Arc<Dm>, (): (), call: Call) -> Result<Reply, HttpError> {
        let explanation =
            dm.engine.lock().unwrap().explain(call.query("pid").unwrap().parse().unwrap()).unwrap();
        let (node_name, source) = ("node-1".into(), "planted".into());
        let scheduler = Some(feed::Explanation { text: "by its cgroup".into(), ..Default::default() });
        Ok(Reply::data(&ExplainReply { node_name, source, explanation, scheduler }))
    }
    let routes = vec![
        Route::new(Method::POST, "/api/v1/intents", Public, push, "Takes a set."),
        Route::new(Method::GET, "/api/v1/intents/merkle", Public, merkle, "Names the set."),
        Route::new(Method::GET, "/api/v1/pods/pids", Public, pids, "Lists processes."),
        Route::new(Method::POST, "/api/v1/preview", Public, preview, "Tells what a set would do."),
        Route::new(Method::GET, "/api/v1/explain", Public, explain, "Tells why."),
    ];
    let tree = pods::processes();
    let options = WalkOptions { proc_root: tree.path().to_owned(), ..WalkOptions::default() };
    let engine = Engine::new(Box::new(ProcWalk::new(options).unwrap()), EngineOptions::default());
    let dm = Dm { held: Mutex::default(), engine: Mutex::new(engine), _tree: tree };
    TestServer::start(Arc::new(dm), routes)
}

/// A decision maker whose answers are not those of one, and which knows no further questions, like one written in Go.
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
