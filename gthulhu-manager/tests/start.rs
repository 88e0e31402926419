//! The first start and the settings it depends on, with the real programs: what is made, what is refused and by which
//! name, and that the defaults of both daemons suit each other beyond this machine's loopback.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use gthulhu_http::testkit::TestClient;
use gthulhu_local::ports::Port;
use gthulhu_local::programs;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

const MANAGER: &str = env!("CARGO_BIN_EXE_gthulhu-manager");

/// The public half of the pair published with the Go project.
const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../gthulhu-http/tests/fixtures/published.pub");

fn init(dir: &Path) -> Output {
    Command::new(MANAGER).args(["init", "--dir"]).arg(dir).output().unwrap()
}

/// Every file below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn two_first_starts_share_no_secret_and_show_nothing_to_others() {
    let base = TempDir::new().unwrap();
    let dirs = ["a", "b"].map(|name| base.path().join(name));
    let lines = dirs.each_ref().map(|dir| {
        let output = init(dir);
        assert!(output.status.success(), "{output:?}");
        let listed = String::from_utf8(output.stdout).unwrap();
        let made = files(dir);
        assert_eq!(listed.lines().count(), made.len(), "what was made is listed:\n{listed}");
        for path in &made {
            assert_eq!(mode(path), 0o600, "{}", path.display());
            assert_eq!(mode(path.parent().unwrap()), 0o700, "{}", path.display());
        }
        let texts = made.iter().map(|path| fs::read_to_string(path).unwrap());
        let long = |line: &&str| line.len() > 40 && !line.starts_with("-----");
        texts
            .flat_map(|text| text.lines().filter(long).map(str::to_owned).collect::<Vec<_>>())
            .collect::<HashSet<_>>()
    });
    assert!(lines[0].len() > 50, "keys are many lines: {}", lines[0].len());
    // Certificates of the same shape begin alike; keys do not share a line.
    let shared: Vec<_> = lines[0].intersection(&lines[1]).collect();
    assert!(shared.len() <= 4, "{shared:?}");
    // Those of certificates are too short for the count above to tell.
    let contents = |dir| files(dir).iter().map(|path| fs::read(path).unwrap()).collect::<HashSet<_>>();
    let [mine, theirs] = dirs.each_ref().map(|dir| contents(dir));
    assert!(mine.is_disjoint(&theirs), "a file is the same in both");
}

#[test]
fn a_second_init_touches_nothing() {
    let base = TempDir::new().unwrap();
    let dir = base.path().join("state");
    init(&dir);
    let before: Vec<_> = files(&dir).iter().map(|path| fs::read(path).unwrap()).collect();
    let again = init(&dir);
    assert!(String::from_utf8_lossy(&again.stdout).starts_with("nothing to make"), "{again:?}");
    assert_eq!(before, files(&dir).iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>());
}

/// Runs `serve` with this configuration below a fresh state directory, to its end.
fn serve(dir: &Path, config: &str) -> Output {
    let state = dir.join("state");
    let config = format!("[state]\ndir = {}\n{config}", json!(state));
    let file = dir.join("manager.toml");
    fs::write(&file, config).unwrap();
    Command::new(MANAGER).args(["serve", "--config"]).arg(file).output().unwrap()
}

#[track_caller]
fn ends(dir: &Path, config: &str, code: i32, says: &str) {
    let output = serve(dir, config);
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(last.contains(says), "{last:?} does not say {says:?}");
}

#[test]
fn what_was_published_is_refused_by_name() {
    let base = TempDir::new().unwrap();
    init(&base.path().join("state"));
    for password in ["your-password-here", "your-password"] {
        let account =
            format!("[account]\nadmin_email = \"admin@example.com\"\nadmin_password = \"{password}\"\n");
        ends(base.path(), &account, 78, "account.admin_password");
    }
    ends(
        base.path(),
        &format!("[key]\ndm_public_key_path = {}\n", json!(PUBLISHED)),
        78,
        "key.dm_public_key_path",
    );
    let inline = json!(fs::read_to_string(PUBLISHED).unwrap());
    ends(base.path(), &format!("[key]\ndm_public_key_pem = {inline}\n"), 78, "key.dm_public_key_pem");
}

#[test]
fn what_cannot_be_used_ends_the_start_with_its_reason() {
    let base = TempDir::new().unwrap();
    init(&base.path().join("state"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    ends(base.path(), &format!("[server]\nhost = \"{address}\"\n"), 69, &address);
    ends(base.path(), "[store]\nkind = \"mongodb\"\n", 78, "mongodb.host");
    let nobody = Port::take().unwrap();
    let away = format!("[mongodb]\nhost = \"127.0.0.1\"\nport = \"{}\"\n", nobody.number());
    ends(base.path(), &away, 69, &format!("mongodb 127.0.0.1:{}: cannot be reached", nobody.number()));
    ends(base.path(), "[cluster]\nkind = \"kubernetes\"\n", 78, "cluster.kind");
    ends(base.path(), "[mtls]\nenable = true\ncert_path = '/nowhere'\n", 78, "mtls.cert_path");
    ends(base.path(), "[sevrer]\nhost = \":1\"\n", 78, "did you mean");

    let file = base.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let config = base.path().join("other.toml");
    fs::write(&config, format!("[state]\ndir = {}\n", json!(file))).unwrap();
    let output = Command::new(MANAGER).args(["serve", "--config"]).arg(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(73), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("state.dir"), "{output:?}");
}

/// A daemon, ended with the test.
struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    /// Starts it and reads from its log where it listens.
    fn start(program: &Path, config: &Path) -> Daemon {
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(config).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut lines = log.lines().map(Result::unwrap);
        let event = |line: String| serde_json::from_str::<Value>(&line).unwrap_or_else(|_| panic!("{line}"));
        let address = lines.find_map(|line| event(line)["address"].as_str().map(str::to_owned));
        // The log must be read on, or the daemon would block on it one day.
        std::thread::spawn(move || lines.for_each(drop));
        Daemon { child, address: address.expect("it says where it listens") }
    }

    fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

/// Whatever gives credentials for the Kubernetes API may be away at a start: after a power cut everything starts at once.
#[test]
fn a_start_does_not_wait_for_the_kubernetes_api_and_tells_no_secret_of_it() {
    let base = TempDir::new().unwrap();
    let (state, kubeconfig) = (base.path().join("state"), base.path().join("kubeconfig"));
    init(&state);
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
        clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n\
        contexts: [{name: c, context: {cluster: c, user: u}}]\n\
        users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, \
        args: ['-c', 'echo canary; echo canary >&2; exit 7']}}}]\n";
    fs::write(&kubeconfig, text).unwrap();
    let config = base.path().join("manager.toml");
    let settings = format!(
        "[state]\ndir = {}\n[server]\nhost = '127.0.0.1:0'\n[k8s]\nkube_config_path = {}\n",
        json!(state),
        json!(kubeconfig)
    );
    fs::write(&config, settings).unwrap();
    let mut command = Command::new(MANAGER);
    command.args(["serve", "--config"]).arg(&config).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let wanted = ["the manager listens", "its exec plugin failed with exit status: 7"];
    let mut said = String::new();
    while !wanted.iter().all(|words| said.contains(words)) {
        let Some(line) = lines.next() else { panic!("it ends: {said}") };
        said += &line;
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    said.extend(lines);
    assert!(child.wait().unwrap().success() && !said.contains("canary"), "{said}");
}

/// An address of this machine that is not its loopback; nothing is sent to find it.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[tokio::test]
async fn a_manager_with_default_settings_pushes_to_a_node_that_is_not_loopback() {
    let Some(own) = own_address() else {
        println!(
            "SKIPPED a_manager_with_default_settings_pushes_to_a_node_that_is_not_loopback: no other address"
        );
        return;
    };
    let base = TempDir::new().unwrap();
    let at = |name: &str| base.path().join(name);
    init(&at("state"));
    fs::create_dir(at("pods")).unwrap();
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: 0a000000-0000-4000-8000-000000000001}\n\
               spec: {nodeName: node-1}\nstatus: {phase: Running}\n";
    fs::write(at("pods/p.yaml"), pod).unwrap();

    let dm = format!(
        "[server]\nhost = \":0\"\n[state]\ndir = {}\n[token]\nrsa_private_key_path = {}\n",
        json!(at("dm")),
        json!(at("state/keys/dm-token.key")),
    );
    fs::write(at("dm.toml"), dm).unwrap();
    let dm = Daemon::start(&programs::find("gthulhu-dm").unwrap(), &at("dm.toml"));
    let manager = format!(
        "[server]\nhost = \"127.0.0.1:0\"\n[state]\ndir = {}\n[cluster]\npods_dir = {}\n\
         [account]\nadmin_email = \"root@example.com\"\nadmin_password = \"a passphrase of this test\"\n\
         [[nodes]]\nname = \"node-1\"\nurl = \"http://{own}:{}\"\n",
        json!(at("state")),
        json!(at("pods")),
        dm.port(),
    );
    fs::write(at("manager.toml"), manager).unwrap();
    let manager = Daemon::start(Path::new(MANAGER), &at("manager.toml"));

    let client = TestClient::new(&format!("http://{}", manager.address));
    let login = json!({"username": "root@example.com", "password": "a passphrase of this test"});
    let token = client.post("/api/v1/auth/login", &login).await.json::<Value>()["data"]["token"].clone();
    let client = client.bearer(token.as_str().unwrap());
    assert_eq!(client.post("/api/v1/strategies", &json!({"priority": 3})).await.status, 200);
    gthulhu_local::wait::until(async || {
        let intents = client.get("/api/v1/intents/self").await.json::<Value>();
        let accepted = intents["data"]["intents"][0]["State"] == 2;
        Ok(if accepted { Ok(()) } else { Err(intents.to_string()) })
    })
    .await
    .unwrap();

    // The same address is not loopback for a bare public key either.
    let dm_from_afar = TestClient::new(&format!("http://{own}:{}", dm.port()));
    let key = json!({"public_key": fs::read_to_string(at("state/keys/dm-token.pub")).unwrap()});
    assert_eq!(dm_from_afar.post("/api/v1/auth/token", &key).await.status, 401);
    let dm_here = TestClient::new(&format!("http://127.0.0.1:{}", dm.port()));
    assert_eq!(dm_here.post("/api/v1/auth/token", &key).await.status, 200);
}
