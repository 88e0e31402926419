//! A manager and three nodes, each in a network namespace of its own, with one process of one pod.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use gthulhu_http::keys::PrivateKey;
use gthulhu_http::testkit::TestClient;
use gthulhu_http::time::unix_now;
use gthulhu_http::tokens::Signer;
use gthulhu_local::background::{arguments, run_to_end};
use gthulhu_local::daemon::Daemon;
use gthulhu_local::error::LocalError;
use gthulhu_local::http::Api;
use gthulhu_local::ports::Port;
use gthulhu_local::state::StateDir;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use super::namespace::Namespace;

const NODES: u32 = 3;
/// Where every decision maker listens, each in a network of its own.
const PORT: u16 = 8080;
const PASSWORD: &str = "a passphrase of this test";
/// With back-off on a busy machine; what is awaited comes in seconds.
const WITHIN: Duration = Duration::from_secs(120);

/// A node: its network, its decision maker, and what was seen there.
pub(crate) struct Node {
    number: u32,
    pub(crate) network: Namespace,
    daemon: Option<Daemon>,
    token: String,
    seen: Mutex<Vec<i64>>,
}

pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    manager: Daemon,
    /// The manager's, as long as it runs.
    _port: Port,
    user: TestClient,
    state: StateDir,
    slice: i64,
    strategy: Option<String>,
}

fn uid(number: u32) -> String {
    format!("0a000000-0000-4000-8000-{number:012}")
}

/// Does `work` on a runtime of this thread.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

impl Node {
    fn prepare(state: &StateDir, number: u32, token: &str) -> Result<Self, LocalError> {
        let dir = state.subdir(&format!("node-{number}"))?;
        plant(&dir.join("proc"), number);
        let network = Namespace::new()?;
        let config = format!(
            "[server]\nhost = \"{ip}:{PORT}\"\n[token]\nrsa_private_key_path = {key}\n[state]\ndir = {dir}\n\
             [node]\nproc_root = {proc}\nname = \"node-{number}\"\nfresh = \"0s\"\n[feed]\nsocket = \"off\"\n",
            ip = network.ip,
            key = json!(state.path().join("manager/keys/dm-token.key")),
            dir = json!(dir.join("state")),
            proc = json!(dir.join("proc")),
        );
        state.write(&format!("node-{number}.toml"), &config)?;
        let seen = Mutex::default();
        Ok(Self { number, network, daemon: None, token: token.to_owned(), seen })
    }

    /// Starts its decision maker and waits until it is ready.
    pub(crate) fn start(&mut self, state: &Path) {
        let url = format!("http://{}:{PORT}", self.network.ip);
        // Its log and its entry among the children are those of a run of its own.
        let (number, own) = (self.number, StateDir::temporary().unwrap());
        let config = state.join(format!("node-{number}.toml"));
        let daemon = self.network.inside(|| {
            let name = format!("node-{number}");
            let mut daemon =
                Daemon::start(&own, "gthulhu-dm", &config, &url, &[("NODE_NAME", &name)]).unwrap();
            block_on(daemon.ready(&Api::new(&url))).unwrap();
            daemon
        });
        self.daemon = Some(daemon);
    }

    /// Ends its decision maker.
    pub(crate) fn stop(&mut self) {
        drop(self.daemon.take());
    }

    /// The slice that a scheduler on this node is told, asked for inside the node's own network.
    pub(crate) fn slice(&self) -> Option<i64> {
        let url = format!("http://{}:{PORT}", self.network.ip);
        let told = self.network.inside(|| {
            let asked = async {
                let client = TestClient::new(&url).bearer(&self.token);
                let reply = client.get("/api/v1/scheduling/strategies").await;
                assert_eq!(reply.status, 200, "{}", reply.text());
                serde_json::from_str::<Value>(reply.text()).unwrap()
            };
            block_on(asked)
        });
        let slice = told["scheduling"][0]["execution_time"].as_i64();
        let mut seen = self.seen.lock().unwrap();
        let last = seen.last().copied();
        assert!(slice >= last, "node {} went back from {last:?} to {slice:?}", self.number);
        if slice > last {
            seen.extend(slice);
        }
        slice
    }
}

impl World {
    pub(crate) async fn start() -> Result<Self, LocalError> {
        let state = StateDir::temporary()?;
        run_to_end("gthulhu-manager", &arguments("init", "--dir", &state.path().join("manager")))?;
        let key = fs::read_to_string(state.path().join("manager/keys/dm-token.key")).unwrap();
        let token = token(&PrivateKey::from_pem(&key).unwrap());
        let pods = state.subdir("pods")?;
        let (mut nodes, mut listed) = (Vec::new(), String::new());
        for number in 1..=NODES {
            let mut node = Node::prepare(&state, number, &token)?;
            node.start(state.path());
            fs::write(pods.join(format!("pod-{number}.json")), pod(number).to_string()).unwrap();
            let _ = write!(
                listed,
                "[[nodes]]\nname = \"node-{number}\"\nurl = \"http://{}:{PORT}\"\n",
                node.network.ip
            );
            nodes.push(node);
        }
        let port = Port::take()?;
        let host = format!("127.0.0.1:{}", port.number());
        let config = format!(
            "[server]\nhost = \"{host}\"\n[state]\ndir = {}\n[cluster]\npods_dir = {}\n{listed}",
            json!(state.path().join("manager")),
            json!(pods),
        );
        let config = state.write("manager.toml", &config)?;
        let url = format!("http://{host}");
        let mut manager = Daemon::start(&state, "gthulhu-manager", &config, &url, &[])?;
        manager.ready(&Api::new(&url)).await?;
        let user = administrator(&url, &state).await;
        Ok(Self { nodes, manager, _port: port, user, state, slice: 0, strategy: None })
    }

    /// The directory of everything.
    pub(crate) fn dir(&self) -> std::path::PathBuf {
        self.state.path().to_owned()
    }

    /// Gives the strategy of all pods another slice, longer each time; the manager's acknowledgement is all that is
    /// awaited. The slice, ns.
    pub(crate) async fn change(&mut self) -> i64 {
        self.slice += 1_000_000;
        let mut strategy = json!({
            "labelSelectors": [{"key": "app", "value": "web"}], "priority": 3, "executionTime": self.slice,
        });
        let reply = if let Some(id) = &self.strategy {
            strategy["strategyId"] = json!(id);
            self.user.put("/api/v1/strategies", &strategy).await
        } else {
            self.user.post("/api/v1/strategies", &strategy).await
        };
        assert_eq!(reply.status, 200, "{}", reply.text());
        if let Some(place) = reply.header("location") {
            self.strategy = place.rsplit('/').next().map(str::to_owned);
        }
        self.slice
    }

    /// Waits until this node has this slice.
    pub(crate) async fn until_slice(&self, node: usize, wanted: i64) {
        let (deadline, mut ticks) = (Instant::now() + WITHIN, interval(Duration::from_millis(25)));
        loop {
            ticks.tick().await;
            let slice = self.nodes[node].slice();
            if slice == Some(wanted) {
                return;
            }
            assert!(Instant::now() < deadline, "node {node} has {slice:?}, wanted {wanted}");
        }
    }

    /// Waits until all nodes have it, and the manager says so too.
    pub(crate) async fn until_agreed(&self, wanted: i64) {
        for node in 0..self.nodes.len() {
            self.until_slice(node, wanted).await;
        }
        let (deadline, mut ticks) = (Instant::now() + WITHIN, interval(Duration::from_millis(25)));
        loop {
            ticks.tick().await;
            let told = self.user.get("/api/v1/intents/self").await.data();
            let intents = told["intents"].as_array().unwrap();
            if intents.len() == self.nodes.len() && intents.iter().all(|intent| intent["State"] == 2) {
                return;
            }
            assert!(Instant::now() < deadline, "{told}");
        }
    }

    /// Stops the manager where it is, or lets it go on.
    pub(crate) fn signal_manager(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.manager.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

async fn administrator(url: &str, state: &StateDir) -> TestClient {
    let log_in = async |password: &str| {
        let login = json!({"username": "admin@localhost", "password": password});
        let told = TestClient::new(url).post("/api/v1/auth/login", &login).await.data();
        TestClient::new(url).bearer(told["token"].as_str().unwrap())
    };
    let first = fs::read_to_string(state.path().join("manager/admin-password")).unwrap();
    let change = json!({"oldPassword": first.trim(), "newPassword": PASSWORD});
    let changed = log_in(first.trim()).await.put("/api/v1/users/self/password", &change).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    log_in(PASSWORD).await
}

fn token(key: &PrivateKey) -> String {
    let now = unix_now();
    let claims = json!({
        "client_id": "test", "iss": "decision-maker-service", "sub": "test", "exp": now + 36_000, "nbf": now, "iat": now,
    });
    Signer::new(key).sign(&claims).unwrap()
}

fn pod(number: u32) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{number}"), "namespace": "shop", "uid": uid(number), "labels": {"app": "web"}},
        "spec": {"nodeName": format!("node-{number}")}, "status": {"phase": "Running"},
    })
}

/// A proc file system with an init process and one of the node's pod.
fn plant(root: &Path, number: u32) {
    for (pid, cgroup) in [(1, "/init.scope".to_owned()), (100, format!("/kubepods/pod{}/web", uid(number)))] {
        let stat = format!("{pid} (web) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {pid} 0 0\n");
        let dir = root.join(pid.to_string());
        fs::create_dir_all(dir.join("task").join(pid.to_string())).unwrap();
        fs::write(dir.join("cgroup"), format!("0::{cgroup}\n")).unwrap();
        fs::write(dir.join("comm"), "web\n").unwrap();
        fs::write(dir.join("task").join(pid.to_string()).join("stat"), &stat).unwrap();
        fs::write(dir.join("stat"), stat).unwrap();
    }
}
