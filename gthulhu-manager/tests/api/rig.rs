//! A manager on a free port: real store, real folder of pods, decision makers that play their part on real sockets.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use gthulhu_http::client::{Client, ClientOptions};
use gthulhu_http::keys::PrivateKey;
use gthulhu_http::testkit::golden::Golden;
use gthulhu_http::testkit::{Exchange, TestClient, TestServer};
use gthulhu_http::time::unix_now;
use gthulhu_http::tokens::Signer;
use gthulhu_lib::intent::Limits;
use gthulhu_manager::api::{self, App};
use gthulhu_manager::assemble::{Manager, Parts, assemble};
use gthulhu_manager::cluster::folder::{FolderCluster, FolderOptions};
use gthulhu_manager::cluster::{Absent, Cluster};
use gthulhu_manager::keyring::{DmKey, Keyring, UserKeys};
use gthulhu_manager::nodes::Endpoint;
use gthulhu_manager::nodes::client::{DmClient, Tokens};
use gthulhu_manager::nodes::driver::NodeStatus;
use gthulhu_manager::service::{LoginLimits, Rules};
use gthulhu_manager::store::Store;
use gthulhu_manager::store::redb::RedbStore;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{nodes, people, pods};

/// One pair of keys for all tests: making one takes long.
pub(crate) static KEYS: LazyLock<Keyring> = LazyLock::new(|| Keyring {
    user: UserKeys { signing: PrivateKey::generate().unwrap(), retiring: None },
    dm: DmKey::Private(PrivateKey::generate().unwrap()),
});

/// The nodes: one whose decision maker answers, one without, and one for each way to fail.
pub(crate) const NODES: [&str; 5] = ["node-1", "node-bare", "node-hanging", "node-mumbling", "node-refusing"];

/// Few, so that a test can have them all.
pub(crate) const STRATEGIES_PER_USER: usize = 8;

pub(crate) struct Rig {
    manager: Manager,
    server: TestServer,
    _parts: (TempDir, TcpListener, TestServer, TestServer),
}

impl Rig {
    pub(crate) fn start() -> Rig {
        Rig::start_with(|store| store)
    }

    /// Starts with pods on every node.
    pub(crate) fn start_spread() -> Rig {
        let dir = TempDir::new().unwrap();
        pods::write_spread(dir.path());
        Rig::start_in(dir, |store| store)
    }

    /// Starts with a store that is wrapped after everybody is in it.
    pub(crate) fn start_with(wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Rig {
        Rig::start_in(TempDir::new().unwrap(), wrap)
    }

    fn start_in(dir: TempDir, wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Rig {
        pods::write(dir.path());
        let names = NODES.map(String::from).to_vec();
        let cluster = FolderCluster::open(dir.path(), names, FolderOptions::default()).unwrap();
        Rig::assemble(dir, Arc::new(cluster), wrap)
    }

    /// Starts without a source of pods.
    pub(crate) fn start_blind() -> Rig {
        Rig::assemble(
            TempDir::new().unwrap(),
            Arc::new(Absent::new("no source of pods is configured")),
            |store| store,
        )
    }

    fn assemble(
        dir: TempDir,
        cluster: Arc<dyn Cluster>,
        wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Rig {
        let store = RedbStore::open(&dir.path().join("manager.redb")).unwrap();
        people::settle(&store);
        let DmKey::Private(dm_key) = &KEYS.dm else { unreachable!("made above") };
        // Beyond the deadlines of those who ask, so that it is always theirs that a hanging node meets.
        let options = ClientOptions { total: Duration::from_secs(60), ..ClientOptions::default() };
        let rules = Rules {
            access_ttl: Duration::from_secs(3600),
            limits: Limits::default(),
            strategies_per_user: STRATEGIES_PER_USER,
            logins: LoginLimits::default(),
        };
        let client = DmClient::new(Client::new(options), Tokens::minted(dm_key, "manager-client"));
        let store = wrap(Arc::new(store));
        let mut manager = assemble(Parts { store, cluster, keys: &KEYS, rules, client }).unwrap();

        // Takes connections and never says a word.
        let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
        let (answering, mumbling) = (nodes::answering(), nodes::mumbling());
        let endpoint = |url: String| Arc::new(Endpoint { url, ..Endpoint::default() });
        let endpoints = BTreeMap::from([
            ("node-1".into(), endpoint(answering.url())),
            ("node-hanging".into(), endpoint(format!("http://{}", hanging.local_addr().unwrap()))),
            ("node-mumbling".into(), endpoint(mumbling.url())),
            ("node-refusing".into(), endpoint("http://127.0.0.1:1".into())),
        ]);
        manager.push_to(endpoints, "http");
        let server = TestServer::start(Arc::clone(&manager.app), api::routes());
        Rig { manager, server, _parts: (dir, hanging, answering, mumbling) }
    }

    /// What the routes work on.
    pub(crate) fn app(&self) -> &App {
        &self.manager.app
    }

    /// A client without a token.
    pub(crate) fn stranger(&self) -> TestClient {
        self.server.client()
    }

    /// A client with a token of this user.
    pub(crate) fn user(&self, id: &str) -> TestClient {
        self.stranger().bearer(&token(&claims(id)))
    }

    /// Creates a strategy and returns its id.
    pub(crate) async fn create(&self, client: &TestClient, strategy: &Value) -> String {
        let reply = client.post("/api/v1/strategies", strategy).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.header("location").unwrap().rsplit('/').next().unwrap().to_owned()
    }

    /// Makes an active user with a role of his own, `role of NAME`, that has these policies. Gives his id, and a client
    /// with a token of his.
    pub(crate) async fn hire(&self, name: &str, policies: &Value) -> (String, TestClient) {
        let alice = self.user(people::ALICE);
        let role = format!("role of {name}");
        let reply = alice.post("/api/v1/roles", &json!({"name": role, "rolePolicies": policies})).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let user = json!({"username": name, "password": people::PASSWORD});
        let reply = alice.post("/api/v1/users", &user).await;
        let id = reply.header("location").unwrap().rsplit('/').next().unwrap().to_owned();
        let change = json!({"userID": id, "roles": [role], "status": 1});
        assert_eq!(alice.put("/api/v1/users/permissions", &change).await.status, 200);
        let mut claims = claims(&id);
        claims["tokenVersion"] = json!(1);
        let client = self.stranger().bearer(&token(&claims));
        (id, client)
    }

    /// Waits until the node's decision maker was asked and this holds of its status.
    pub(crate) async fn until(&self, node: &str, holds: impl Fn(&NodeStatus) -> bool) {
        let mut changed = self.manager.app.nodes.changed();
        changed.wait_for(|status| status.get(node).is_some_and(&holds)).await.unwrap();
    }

    /// Waits until the node holds this many intents.
    pub(crate) async fn until_held(&self, node: &str, intents: usize) {
        self.until(node, |status| status.held.as_ref().is_some_and(|held| held.set().len() == intents)).await;
    }
}

/// The claims of a valid token of this user.
pub(crate) fn claims(id: &str) -> Value {
    let now = unix_now();
    json!({
        "uid": id, "sub": id, "needChangePassword": id == people::FRANK, "tokenVersion": 0, "tokenType": "access",
        "iss": "bss-api-server", "exp": now + 3600, "nbf": now, "iat": now,
    })
}

/// These claims, signed with the manager's key.
pub(crate) fn token(claims: &Value) -> String {
    Signer::named(&KEYS.user.signing).sign(claims).unwrap()
}

/// Compares a reply with its golden file.
#[track_caller]
pub(crate) fn golden(name: &str, reply: &Exchange) {
    let golden = Golden::new(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"));
    golden.replace(&KEYS.user.signing.public().kid(), "KID").check(name, reply);
}

/// Compares any text with its golden file, which ends with one newline.
#[track_caller]
pub(crate) fn golden_text(file: &str, text: &str) {
    let text = format!("{}\n", text.trim_end());
    Golden::new(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")).check_text(file, &text);
}
