//! The program itself: started, asked, killed, started again.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use gthulhu_http::{
    files::{PRIVATE_FILE, write_atomic},
    testkit::TestClient,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    rig::{KEY, numbered, pids, token},
    tree::{DB, ProcTree},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gthulhu-dm");
const INTENTS: &str = "/api/v1/intents";

/// What a decision maker needs on disk: a key, a configuration and a place for its state.
struct Place {
    dir: TempDir,
    tree: ProcTree,
}

impl Place {
    fn new() -> Place {
        let place = Place { dir: TempDir::new().unwrap(), tree: ProcTree::busy() };
        write_atomic(&place.path("key.pem"), KEY.to_pem().as_bytes(), PRIVATE_FILE).unwrap();
        let config = format!(
            "[server]\nhost = \"127.0.0.1:0\"\n\
             [token]\nrsa_private_key_path = '{}'\n\
             [state]\ndir = '{}'\n\
             [node]\nproc_root = '{}'\nname = \"node-1\"\n[feed]\nsocket = '{}'\n",
            text(&place.path("key.pem")),
            text(&place.path("state")),
            text(place.tree.path()),
            text(&place.path("feed.sock")),
        );
        fs::write(place.path("dm_config.toml"), config).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program with this place's configuration, and nothing of our own environment that it would read.
    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--config"]).arg(self.path("dm_config.toml"));
        clean(&mut command);
        command
    }

    fn start(&self) -> Running {
        Running::start(self.command())
    }

    /// Runs the program to its end, which must come by itself.
    fn fail(&self, variables: &[(&str, &str)]) -> Output {
        self.command().envs(variables.iter().copied()).output().unwrap()
    }
}

fn clean(command: &mut Command) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DM_") || name == "NODE_NAME") {
        command.env_remove(name);
    }
}

/// A running decision maker; killed when the test is done with it.
struct Running {
    child: Child,
    url: String,
    /// Its log up to the moment at which it listened.
    said: Vec<String>,
}

impl Running {
    /// Starts it and waits for the log line that says where it listens.
    fn start(mut command: Command) -> Running {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let url = loop {
            let Some(line) = lines.next() else { panic!("it ended: {said:#?}") };
            let line = line.unwrap();
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = event["address"].as_str() {
                break format!("http://{address}");
            }
            said.push(line);
        };
        // Somebody has to go on reading, or the program would wait for room in the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).count());
        Running { child, url, said }
    }

    fn client(&self) -> TestClient {
        TestClient::new(&self.url).bearer(&token())
    }

    /// Waits until a page has this text.
    async fn shows(&self, page: &str, text: &str) {
        let shown = async { while !self.client().get(page).await.text().contains(text) {} };
        let patience = std::time::Duration::from_secs(60);
        tokio::time::timeout(patience, shown).await.unwrap_or_else(|_| panic!("{page} never said {text}"));
    }

    /// `kill -9`.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn held(client: &TestClient) -> Value {
    client.get("/api/v1/intents/merkle").await.data()
}

#[tokio::test]
async fn what_it_held_when_it_was_killed_it_holds_when_it_starts_again() {
    let place = Place::new();
    let running = place.start();
    let client = running.client();
    assert_eq!(client.post(INTENTS, &numbered(3, 7)).await.status, 200);
    assert_eq!(client.delete(INTENTS, &json!({"podId": DB})).await.status, 200);
    let (before, rows) = (held(&client).await, pids(&client).await);
    assert_eq!(rows, [42, 50, 43, 44]);
    running.kill();

    let running = place.start();
    let client = running.client();
    assert_eq!(pids(&client).await, rows, "before anybody pushed anything");
    assert_eq!(held(&client).await, before);
    assert_eq!(client.post(INTENTS, &numbered(3, 6)).await.status, 409);
    assert_eq!(client.post(INTENTS, &numbered(3, 7)).await.status, 200);
    running.kill();
}

#[tokio::test]
async fn every_acknowledged_push_survives_a_kill_that_comes_at_once() {
    let place = Place::new();
    for generation in 1..=10 {
        let running = place.start();
        assert_eq!(running.client().post(INTENTS, &numbered(1, generation)).await.status, 200);
        running.kill();
        let running = place.start();
        assert_eq!(held(&running.client()).await["generation"], generation);
        running.kill();
    }
}

#[tokio::test]
async fn a_damaged_state_file_does_not_keep_it_from_starting() {
    let place = Place::new();
    let running = place.start();
    assert_eq!(running.client().post(INTENTS, &numbered(3, 7)).await.status, 200);
    running.kill();
    let file = place.path("state/dm-state");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();

    let running = place.start();
    let client = running.client();
    assert_eq!(held(&client).await["epoch"], Value::Null);
    assert_eq!(pids(&client).await, [0; 0]);
    assert!(place.path("state/dm-state.corrupt").exists());
    assert_eq!(client.post(INTENTS, &numbered(1, 1)).await.status, 200, "any manager can repair it");
    running.kill();
}

#[tokio::test]
async fn it_warns_once_when_a_public_key_is_enough_for_everybody() {
    let place = Place::new();
    let warnings = |running: &Running| running.said.iter().filter(|line| line.contains("\"WARN\"")).count();
    assert_eq!(warnings(&place.start()), 0);
    let mut command = place.command();
    command.env("DM_TOKEN_ALLOW_PUBLIC_KEY", "any");
    let running = Running::start(command);
    assert_eq!(warnings(&running), 1, "{:#?}", running.said);
}

#[tokio::test]
async fn it_stops_when_asked() {
    let mut running = Place::new().start();
    kill_process(Pid::from_child(&running.child), Signal::TERM).unwrap();
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn the_feeds_socket_of_a_killed_one_is_taken_over_and_at_the_end_it_is_gone() {
    let place = Place::new();
    let socket = place.path("feed.sock");
    let running = place.start();
    running.shows("/readyz?verbose", "[+] feed: listens at ").await;
    // Another one with a state of its own works, but has no feed.
    let mut command = place.command();
    command.env("DM_STATE_DIR", place.path("other"));
    let other = Running::start(command);
    other.shows("/readyz?verbose", "[-] feed: ").await;
    assert!(other.client().get("/readyz?verbose").await.text().contains("in use by another process"));
    assert_eq!(other.client().post(INTENTS, &numbered(3, 7)).await.status, 200);
    drop(other);
    running.kill();
    assert!(socket.exists(), "nobody was left to remove it");

    let mut running = place.start();
    running.shows("/readyz?verbose", "[+] feed: listens at ").await;
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok());
    kill_process(Pid::from_child(&running.child), Signal::TERM).unwrap();
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    assert!(!socket.exists());
    let mut command = place.command();
    command.env("DM_FEED_SOCKET", "off");
    let running = Running::start(command);
    running.shows("/readyz?verbose", "[+] scheduler: deliberately absent: the feed is off").await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn the_old_name_of_the_command_and_the_flags_of_the_go_program_work() {
    let place = Place::new();
    fs::rename(place.path("dm_config.toml"), place.path("other.toml")).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("decisionmaker").args(["-c", "other", "-d"]).arg(place.dir.path());
    clean(&mut command);
    let running = Running::start(command);
    assert_eq!(TestClient::new(&running.url).get("/health").await.status, 200);
}

/// What cannot work ends with one line that names the setting, and an exit code that says what kind of trouble it is.
#[test]
fn what_cannot_work_is_said_in_one_line() {
    let place = Place::new();
    fs::write(place.path("a-file"), "").unwrap();
    fs::write(place.path("open.pem"), KEY.to_pem()).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let (file, open) = (text(&place.path("a-file")), text(&place.path("open.pem")));
    for (variable, value, code, says) in [
        ("DM_TOKEN_RSA_PRIVATE_KEY_PATH", "/nowhere/key.pem", 78, "token.rsa_private_key_path"),
        ("DM_TOKEN_RSA_PRIVATE_KEY_PATH", open.as_str(), 78, "token.rsa_private_key_path"),
        ("DM_TOKEN_RSA_PRIVATE_KEY_PEM", "...", 78, "token.rsa_private_key_pem"),
        ("DM_TOKEN_TOKEN_DURATION_HR", "many", 78, "DM_TOKEN_TOKEN_DURATION_HR"),
        ("DM_TOKEN_TOKEN_DURATION_HR", "0", 78, "token.token_duration_hr"),
        ("DM_MTLS_ENABLE", "true", 78, "mtls.cert_path"),
        ("DM_LOGGING_LEVEL", "loud", 78, "logging.level"),
        ("DM_NODE_CGROUP_ROOT", "../kubepods", 78, "node.cgroup_root"),
        ("DM_FEED_SOCKET", "feed.sock", 78, "feed.socket"),
        ("DM_STATE_DIR", file.as_str(), 73, file.as_str()),
        ("DM_STATE_DIR", "/proc/gthulhu", 73, "/proc/gthulhu"),
        ("DM_STATE_DIR", "/dev/shm", 77, "/dev/shm"),
        ("DM_SERVER_HOST", taken.as_str(), 69, taken.as_str()),
        ("DM_SERVER_HOST", "nonsense", 78, "server.host"),
    ] {
        let Output { status, stderr, .. } = place.fail(&[(variable, value)]);
        let stderr = String::from_utf8(stderr).unwrap();
        // Log lines are JSON; what remains is for the operator.
        let said: Vec<&str> = stderr.lines().filter(|line| !line.starts_with('{')).collect();
        assert_eq!(status.code(), Some(code), "{variable}={value}: {stderr}");
        assert_eq!(said.len(), 1, "{variable}={value}: {stderr}");
        assert!(said[0].starts_with("gthulhu-dm: ") && said[0].contains(says), "{}", said[0]);
        assert!(!stderr.contains("PRIVATE KEY-----"), "a key was shown");
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_configuration_without_a_key_is_told_where_to_put_it() {
    let place = Place::new();
    fs::write(place.path("dm_config.toml"), "").unwrap();
    let Output { status, stderr, .. } = place.fail(&[]);
    assert_eq!(status.code(), Some(78));
    assert!(String::from_utf8(stderr).unwrap().contains("token.rsa_private_key_path"));
    fs::write(place.path("dm_config.toml"), "[token]\nrsa_private_key_pth = \"x\"\n").unwrap();
    let Output { status, stderr, .. } = place.fail(&[]);
    assert_eq!(status.code(), Some(78));
    let said = String::from_utf8(stderr).unwrap();
    assert!(said.contains("dm_config.toml:2:1") && said.contains("rsa_private_key_path"), "{said}");
}

#[test]
fn the_command_line_explains_itself() {
    let run = |arguments: &[&str]| Command::new(PROGRAM).args(arguments).output().unwrap();
    let version = run(&["--version"]);
    assert_eq!(
        String::from_utf8(version.stdout).unwrap(),
        concat!("gthulhu-dm ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let help = String::from_utf8(run(&["serve", "--help"]).stdout).unwrap();
    for word in ["--config ", "--config-name", "--config-dir", "DM_CONFIG_NAME", "rsa_private_key_path"] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
    let overview = String::from_utf8(run(&["--help"]).stdout).unwrap();
    assert!(overview.contains("serve") && !overview.contains("decisionmaker"), "{overview}");
    for wrong in [&["serve", "--nonsense"][..], &["nonsense"], &[]] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(64), "{wrong:?}");
        assert!(!output.stderr.is_empty());
    }
}
