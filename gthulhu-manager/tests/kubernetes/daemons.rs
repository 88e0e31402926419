//! The daemons as they are shipped, set up for a cluster: a manager that finds everything by the API, and a decision maker
//! for each node, all on this machine, and mutual TLS between them.

use std::ffi::OsStr;
use std::path::Path;

use gthulhu_http::client::{Client, ClientOptions, Request};
use gthulhu_http::testkit::TestClient;
use gthulhu_http::tls::{ClientTls, Live, Pem, Source};
use gthulhu_local::background::{arguments, run_to_end};
use gthulhu_local::daemon::Daemon;
use gthulhu_local::error::LocalError;
use gthulhu_local::http::Api;
use gthulhu_local::pods::cgroup::Base;
use gthulhu_local::ports::Port;
use gthulhu_local::state::StateDir;
use gthulhu_manager::init::Layout;
use serde_json::{Value, json};

use super::cluster::{DM_ACCOUNT, DM_LABEL, SYSTEM};

/// The password of everybody here, once the one-time one was changed.
const PASSWORD: &str = "a passphrase of this test";
const ADMIN: &str = "admin@localhost";
/// The cluster that certificates speak of.
const CLUSTER: &str = "test";

/// The manager.
pub(crate) struct Manager {
    daemon: Daemon,
    state: StateDir,
    _port: Port,
}

/// A node's decision maker.
pub(crate) struct Dm {
    pub(crate) node: String,
    pub(crate) ip: String,
    pub(crate) port: u16,
    _daemon: Daemon,
    _state: StateDir,
    _ports: [Port; 2],
}

impl Manager {
    /// Makes the keys that all daemons need.
    pub(crate) fn prepare() -> Result<StateDir, LocalError> {
        let state = StateDir::temporary()?;
        run_to_end("gthulhu-manager", &arguments("init", "--dir", &state.path().join("manager")))?;
        Ok(state)
    }

    /// Starts it with the keys that were made in `state`. It needs no API to become ready but says so if there is none.
    pub(crate) async fn start(state: StateDir, kubeconfig: &Path) -> Result<Self, LocalError> {
        let held = Port::take()?;
        let port = held.number();
        let config = format!(
            "[server]\nhost = \"127.0.0.1:{port}\"\n\n[logging]\nlevel = \"info,gthulhu_manager::cluster=debug\"\n\n\
             [state]\ndir = {dir}\n\n[k8s]\nkube_config_path = {kubeconfig}\ndm_namespace = \"{SYSTEM}\"\n\
             dm_selector = \"{key}={value}\"\ndm_service_account = \"{DM_ACCOUNT}\"\n\n\
             [mtls]\nenable = true\ncluster = \"{CLUSTER}\"\n",
            dir = json!(state.path().join("manager")),
            kubeconfig = json!(kubeconfig),
            key = DM_LABEL.0,
            value = DM_LABEL.1,
        );
        let config = state.write("manager.toml", &config)?;
        let url = format!("http://127.0.0.1:{port}");
        let mut daemon = Daemon::start(&state, "gthulhu-manager", &config, &url, &[])?;
        daemon.ready(&Api::new(daemon.url())).await?;
        Ok(Self { daemon, state, _port: held })
    }

    /// Somebody without a token.
    pub(crate) fn stranger(&self) -> TestClient {
        TestClient::new(self.daemon.url())
    }

    /// The administrator, after he has chosen a password.
    pub(crate) async fn administrator(&self) -> TestClient {
        let first = std::fs::read_to_string(self.state.path().join("manager/admin-password")).unwrap();
        let one_time = self.log_in(ADMIN, first.trim()).await;
        let change = json!({"oldPassword": first.trim(), "newPassword": PASSWORD});
        assert_eq!(one_time.put("/api/v1/users/self/password", &change).await.status, 200);
        self.log_in(ADMIN, PASSWORD).await
    }

    /// A new user who may do as much as the administrator.
    pub(crate) async fn user(&self, administrator: &TestClient, name: &str) -> TestClient {
        let made =
            administrator.post("/api/v1/users", &json!({"username": name, "password": PASSWORD})).await;
        let id = made.header("location").unwrap().rsplit('/').next().unwrap().to_owned();
        let change = json!({"userID": id, "roles": ["admin"], "status": 1});
        assert_eq!(administrator.put("/api/v1/users/permissions", &change).await.status, 200);
        self.log_in(name, PASSWORD).await
    }

    async fn log_in(&self, name: &str, password: &str) -> TestClient {
        let login = json!({"username": name, "password": password});
        let token = self.stranger().post("/api/v1/auth/login", &login).await.data()["token"].take();
        self.stranger().bearer(token.as_str().unwrap())
    }

    /// Everything it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.state.path().join("gthulhu-manager.log")).unwrap()
    }
}

impl Dm {
    /// Starts the decision maker of `node` on an address of the loopback network. It lets managers in, and nobody else.
    pub(crate) async fn start(
        base: &Base,
        keys: &StateDir,
        node: &str,
        ip: &str,
    ) -> Result<Self, LocalError> {
        let state = StateDir::temporary()?;
        let manager = Layout::new(&keys.path().join("manager"));
        let config =
            keys.write("issue.toml", &format!("[state]\ndir = {}\n", json!(keys.path().join("manager"))))?;
        let arguments = ["certs", "issue", "--node", node, "--address", ip, "--cluster", CLUSTER, "--config"];
        let mut arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        arguments.extend([config.as_os_str(), OsStr::new("--out"), state.path().as_os_str()]);
        run_to_end("gthulhu-manager", &arguments)?;
        let held = [Port::take()?, Port::take()?];
        let [port, probes] = held.each_ref().map(Port::number);
        let config = format!(
            "[server]\nhost = \"{ip}:{port}\"\nprobe_host = \"127.0.0.1:{probes}\"\n\n[state]\ndir = {dir}\n\n\
             [mtls]\nenable = true\ncert_path = {cert}\nkey_path = {own_key}\nca_path = {ca}\n\n\
             [token]\nrsa_private_key_path = {key}\n\n[node]\ncgroup_root = {root}\nfresh = \"0s\"\n\n[feed]\nsocket = {feed}\n",
            dir = json!(state.path().join("dm")),
            cert = json!(state.path().join(format!("{node}.crt"))),
            own_key = json!(state.path().join(format!("{node}.key"))),
            ca = json!(manager.ca_cert()),
            key = json!(keys.path().join("manager/keys/dm-token.key")),
            root = json!(base.pods_root()),
            feed = json!(state.path().join("feed.sock")),
        );
        let config = state.write("dm.toml", &config)?;
        let probe = format!("http://127.0.0.1:{probes}");
        let mut daemon = Daemon::start(&state, "gthulhu-dm", &config, &probe, &[("NODE_NAME", node)])?;
        daemon.ready(&Api::new(daemon.url())).await?;
        Ok(Self {
            node: node.to_owned(),
            ip: ip.to_owned(),
            port,
            _daemon: daemon,
            _state: state,
            _ports: held,
        })
    }
}

/// Somebody with the manager's certificate and a token, who asks a decision maker what it tells schedulers.
pub(crate) struct Observer {
    client: Client,
    url: String,
    node: String,
    token: String,
}

impl Observer {
    pub(crate) async fn of(dm: &Dm, keys: &StateDir) -> Self {
        let layout = Layout::new(&keys.path().join("manager"));
        let [cert, key, ca] =
            [layout.manager_cert(), layout.manager_key(), layout.ca_cert()].map(|path| Some(Pem::File(path)));
        let live = Live::load(Source { section: "mtls", cert, key, ca: Some(ca) }).unwrap();
        let client = Client::with_tls(ClientOptions::default(), ClientTls::new(live, CLUSTER, ""));
        let (url, node) = (format!("https://{}:{}", dm.ip, dm.port), dm.node.clone());
        let mut observer = Self { client, url, node, token: String::new() };
        let public = std::fs::read_to_string(keys.path().join("manager/keys/dm-token.pub")).unwrap();
        let told = observer.ask("POST", "/api/v1/auth/token", &json!({"public_key": public})).await;
        told["data"]["token"].as_str().unwrap().clone_into(&mut observer.token);
        observer
    }

    /// One question; the whole answer.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = Request {
            method: method.parse().unwrap(),
            url: format!("{}{path}", self.url),
            node: Some(&self.node),
            server_name: None,
            bearer: Some(&self.token).filter(|token| !token.is_empty()).map(String::as_str),
            body: (!body.is_null()).then(|| body.to_string().into_bytes()),
        };
        let reply = self.client.send(request).await.unwrap();
        assert_eq!(reply.status, 200, "{method} {path}: {}", String::from_utf8_lossy(&reply.body));
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// The rows that a scheduler is given: process and time slice.
    pub(crate) async fn rows(&self) -> Vec<(u64, i64)> {
        let told = self.ask("GET", "/api/v1/scheduling/strategies", &Value::Null).await;
        let row = |row: &Value| (row["pid"].as_u64().unwrap(), row["execution_time"].as_i64().unwrap());
        let mut rows: Vec<_> = told["scheduling"].as_array().unwrap().iter().map(row).collect();
        rows.sort_unstable();
        rows
    }
}
