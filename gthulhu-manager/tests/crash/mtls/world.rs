//! A manager and a decision maker that trust each other, and one pod.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gthulhu_http::testkit::TestClient;
use gthulhu_local::programs;
use serde_json::{Value, json};

use crate::manager::Place;

/// A program that runs, killed at the end. What it logs is read as it comes.
pub(super) struct Daemon {
    child: Child,
    pub(super) address: String,
    seen: Vec<Value>,
    lines: Receiver<Value>,
}

/// Variables of the environment.
pub(super) type Env = Vec<(String, String)>;

impl Daemon {
    fn start(program: &Path, config: &Path, env: &Env) -> Daemon {
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(config).env_clear().envs(env.iter().cloned());
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                // What is no event was for the operator: why it could not start.
                let event = serde_json::from_str(&line).unwrap_or(json!({"message": line}));
                let _ = sender.send(event);
            }
        });
        let mut daemon = Daemon { child, address: String::new(), seen: Vec::new(), lines };
        let listens = daemon.said(|event| event["address"].is_string());
        listens["address"].as_str().unwrap().clone_into(&mut daemon.address);
        daemon
    }

    /// Waits for an event, or finds it among those that were.
    pub(super) fn said(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(event) = self.seen.iter().find(|event| is_it(event)) {
            return event.clone();
        }
        loop {
            let Ok(event) = self.lines.recv_timeout(Duration::from_secs(60)) else {
                panic!("it never said so: {:#?}", self.seen);
            };
            self.seen.push(event.clone());
            if is_it(&event) {
                return event;
            }
        }
    }

    pub(super) fn says(&mut self, message: &str) {
        self.said(|event| event["message"] == message || event["fields"]["message"] == message);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a world is made with.
#[derive(Default)]
pub(super) struct Setup {
    /// The address at which the decision maker is called.
    pub(super) host: String,
    pub(super) dm_env: Env,
    pub(super) manager_env: Env,
    /// The manager has to show the public half of the key instead of making its tokens.
    pub(super) exchanges: bool,
}

pub(super) struct World {
    pub(super) dm: Daemon,
    pub(super) manager: Daemon,
    /// Where the decision maker answers probes.
    pub(super) probes: TestClient,
    /// The manager's API, with an administrator's token.
    pub(super) api: TestClient,
    _place: Place,
}

impl World {
    pub(super) async fn start(place: Place, setup: Setup) -> World {
        let at = |name: &str| place.dir().join(name);
        fs::create_dir(at("pods")).unwrap();
        plant(&at("proc"));
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: 0a000000-0000-4000-8000-000000000001}\n\
                   spec: {nodeName: node-1}\nstatus: {phase: Running}\n";
        fs::write(at("pods/p.yaml"), pod).unwrap();
        fs::copy(at("state/keys/dm-token.key"), at("dm-token.key")).unwrap();
        if setup.exchanges {
            fs::remove_file(at("state/keys/dm-token.key")).unwrap();
        }
        let config = format!(
            "[server]\nhost = '{}:0'\nprobe_host = '127.0.0.1:0'\n[mtls]\nenable = true\n[state]\ndir = {}\n\
             [token]\nrsa_private_key_path = {}\n[node]\nproc_root = {}\n[feed]\nsocket = 'off'\n",
            setup.host,
            json!(at("dm")),
            json!(at("dm-token.key")),
            json!(at("proc")),
        );
        fs::write(at("dm.toml"), config).unwrap();
        let mut dm = Daemon::start(&programs::find("gthulhu-dm").unwrap(), &at("dm.toml"), &setup.dm_env);
        let probes = dm.said(|event| event["probes"].is_string())["probes"].as_str().unwrap().to_owned();
        place.configure(&format!(
            "[cluster]\npods_dir = {}\n[mtls]\nenable = true\n[[nodes]]\nname = 'node-1'\nurl = 'https://{}'\n",
            json!(at("pods")),
            dm.address,
        ));
        let program = Path::new(env!("CARGO_BIN_EXE_gthulhu-manager"));
        let manager = Daemon::start(program, &at("manager.toml"), &setup.manager_env);
        let api = TestClient::new(&format!("http://{}", manager.address));
        let token = api.post("/api/v1/auth/login", &Place::login()).await.data()["token"].clone();
        let api = api.bearer(token.as_str().unwrap());
        World { dm, manager, probes: TestClient::new(&format!("http://{probes}")), api, _place: place }
    }

    /// Makes a strategy, and waits until the node has it.
    pub(super) async fn pushes(&mut self) {
        let made = self.api.post("/api/v1/strategies", &json!({"priority": 3})).await;
        assert_eq!(made.status, 200, "{}", made.text());
        gthulhu_local::wait::until(async || {
            let intents = self.api.get("/api/v1/intents/self").await.data();
            let accepted = intents["intents"][0]["State"] == 2;
            Ok(if accepted { Ok(()) } else { Err(intents.to_string()) })
        })
        .await
        .unwrap();
        let metrics = self.probes.get("/metrics").await;
        assert!(metrics.text().contains("\ngthulhu_dm_intents{machine_id="), "{}", metrics.text());
    }

    /// Asks the node something, through the manager.
    pub(super) async fn asks(api: &TestClient) -> Result<(), String> {
        let reply = api.get("/api/v1/nodes/node-1/pods/pids").await;
        if reply.status == 200 { Ok(()) } else { Err(reply.text().to_owned()) }
    }
}

/// A proc file system with one process, which takes no time to look through.
fn plant(proc: &Path) {
    let stat = format!("1 (init) S 0 1 1{}\n", " 0".repeat(46));
    for (name, text) in [
        ("1/stat", stat.as_str()),
        ("1/task/1/stat", &stat),
        ("1/comm", "init\n"),
        ("1/cgroup", "0::/init.scope\n"),
    ] {
        let path = proc.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Variables that name the files of a directory.
pub(super) fn paths(prefix: &str, dir: &Path, [cert, key, ca]: [&str; 3]) -> Env {
    let file = |name: &str| dir.join(name).display().to_string();
    [("CERT_PATH", cert), ("KEY_PATH", key), ("CA_PATH", ca)]
        .map(|(variable, name)| (format!("{prefix}_MTLS_{variable}"), file(name)))
        .to_vec()
}

/// The files as a volume of Kubernetes holds them: beside links through a link that is swapped.
pub(super) fn mount(volume: &Path, version: &str, files: &[(&str, String)]) {
    let real: PathBuf = volume.join(format!("..{version}"));
    fs::create_dir_all(&real).unwrap();
    for (name, text) in files {
        fs::write(real.join(name), text).unwrap();
        let link = volume.join(name);
        if !link.is_symlink() {
            symlink(Path::new("..data").join(name), link).unwrap();
        }
    }
    let new = volume.join("..data_tmp");
    let old = volume.join("..data").read_link().ok();
    symlink(format!("..{version}"), &new).unwrap();
    fs::rename(&new, volume.join("..data")).unwrap();
    if let Some(old) = old {
        fs::remove_dir_all(volume.join(old)).unwrap();
    }
}
