//! A decision maker on a free port, looking at a planted proc file system.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};

use gthulhu_dm::{
    api::{self, App, Checking},
    auth::{Claims, Tokens},
    config::Token,
    feed::{Feed, Offered, Running},
    metrics::Metrics,
    node::{Node, Options},
    state::StateFile,
    told::{Fed, Told},
};
use gthulhu_http::{
    keys::PrivateKey,
    shutdown::{self, Trigger},
    testkit::{TestClient, TestServer, golden::Golden},
    time::unix_now,
    tokens::Signer,
};
use gthulhu_lib::{
    engine::{Engine, EngineOptions},
    intent::Limits,
    process::walk::{ProcWalk, WalkOptions},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::tree::{DB, ProcTree, WEB};

/// One key for all tests: making one takes long.
pub(crate) static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().unwrap());

/// What differs from one test to the next.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a configuration, each for itself")]
pub(crate) struct Settings {
    pub(crate) accept_unnumbered: bool,
    pub(crate) accept_any_priority: bool,
    pub(crate) threads: bool,
    pub(crate) feed: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { accept_unnumbered: false, accept_any_priority: false, threads: true, feed: false }
    }
}

pub(crate) struct Rig {
    pub(crate) tree: ProcTree,
    state: TempDir,
    server: TestServer,
    ended: oneshot::Receiver<()>,
    feeding: Option<Feeding>,
}

/// A feed that listens, and what ends it.
struct Feeding {
    trigger: Trigger,
    running: Running,
}

impl Rig {
    pub(crate) fn start(tree: ProcTree) -> Rig {
        Rig::start_with(tree, Settings::default())
    }

    pub(crate) fn start_with(tree: ProcTree, settings: Settings) -> Rig {
        let state = TempDir::new().unwrap();
        let (server, ended, feeding) = serve(tree.path(), state.path(), settings);
        Rig { tree, state, server, ended, feeding }
    }

    /// With a feed at [`Rig::socket`].
    pub(crate) fn feeding(tree: ProcTree) -> Rig {
        Rig::start_with(tree, Settings { feed: true, ..Settings::default() })
    }

    /// Where the feed listens, if it does.
    pub(crate) fn socket(&self) -> PathBuf {
        self.state.path().join(SOCKET)
    }

    /// Asks the feed to stop and waits until it has.
    pub(crate) async fn stop_feeding(&mut self) {
        let Feeding { trigger, running } = self.feeding.take().unwrap();
        trigger.fire();
        running.end().await;
    }

    /// Where the state file is kept.
    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    /// A client without a token.
    pub(crate) fn stranger(&self) -> TestClient {
        self.server.client()
    }

    /// A client with a token.
    pub(crate) fn client(&self) -> TestClient {
        self.server.client().bearer(&token())
    }

    /// Stops the decision maker and starts another one with what is on disk.
    pub(crate) async fn restart(self) -> Rig {
        let Rig { tree, state, server, ended, .. } = self;
        server.stop().await;
        // The thread ends with the last handle to it, and only then is the state file free.
        let _ = ended.await;
        let (server, ended, feeding) = serve(tree.path(), state.path(), Settings::default());
        Rig { tree, state, server, ended, feeding }
    }
}

/// The feed's socket, in the directory of the state.
const SOCKET: &str = "feed.sock";

fn serve(
    proc_root: &Path,
    state: &Path,
    settings: Settings,
) -> (TestServer, oneshot::Receiver<()>, Option<Feeding>) {
    let walk = WalkOptions { proc_root: proc_root.to_owned(), cgroup_root: None };
    let told = Told::new().unwrap();
    let source = Fed::new(told.clone(), Box::new(ProcWalk::new(walk).unwrap())).unwrap();
    let engine = Engine::new(Box::new(source), EngineOptions::default());
    let metrics = Metrics::new("node-1", true).unwrap();
    let (file, kept, _) = StateFile::open(state).unwrap();
    // No scan but those that are asked for, and one for each answer.
    let options = Options {
        poll: Duration::from_secs(3600),
        fresh: Duration::ZERO,
        accept_unnumbered: settings.accept_unnumbered,
    };
    let (node, ended) = Node::start(engine, file, kept, metrics.clone(), options).unwrap();
    let (feed, feeding) = if settings.feed {
        let (trigger, shutdown) = shutdown::pair();
        let path = state.join(SOCKET);
        let offered = Offered { held: node.held(), table: node.table(), told };
        let (feed, running) = Feed::start(Some(&path), offered, metrics.clone(), shutdown);
        (feed, Some(Feeding { trigger, running }))
    } else {
        (Feed::off(), None)
    };
    let app = App {
        node,
        feed,
        tokens: Tokens::new(&KEY, &Token::default()),
        metrics,
        name: "node-1".to_owned(),
        checking: Checking::new(Limits { accept_any_priority: settings.accept_any_priority }),
        threads: settings.threads,
    };
    (TestServer::start(Arc::new(app), api::routes()), ended, feeding)
}

/// A token as the manager makes it.
pub(crate) fn token() -> String {
    Signer::new(&KEY).sign(&Claims::new("manager-client", unix_now(), 3600)).unwrap()
}

pub(crate) fn golden() -> Golden {
    Golden::new(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"))
}

/// An intent for all of WEB but its workers, one for its workers, and one for DB.
pub(crate) fn intents() -> Vec<Value> {
    vec![
        json!({
            "podName": "web-0", "podID": WEB, "nodeID": "node-1", "k8sNamespace": "default",
            "commandRegex": "^nginx$", "priority": 3, "executionTime": 20_000_000,
            "podLabels": {"tier": "front", "app": "web"}, "strategyID": "65f0c0ffee65f0c0ffee0001",
        }),
        json!({
            "podName": "web-0", "podID": WEB, "nodeID": "node-1", "k8sNamespace": "default",
            "commandRegex": "worker", "priority": 10, "podLabels": {"tier": "front", "app": "web"},
            "strategyID": "65f0c0ffee65f0c0ffee0002",
        }),
        json!({"podID": DB, "executionTime": 5_000_000}),
    ]
}

/// A push of [`intents`] under these numbers.
pub(crate) fn numbered(epoch: u64, generation: u64) -> Value {
    json!({"intents": intents(), "epoch": epoch, "generation": generation})
}

/// The pids of the rows that schedulers get, in order.
pub(crate) async fn pids(client: &TestClient) -> Vec<u64> {
    let reply = client.get("/api/v1/scheduling/strategies").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let rows = reply.json::<Value>()["scheduling"].take();
    rows.as_array().unwrap().iter().map(|row| row["pid"].as_u64().unwrap()).collect()
}
