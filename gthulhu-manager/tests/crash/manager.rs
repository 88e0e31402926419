//! A manager's place on disk, and the process that runs there.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wire::Wire;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gthulhu-manager");
const NAME: &str = "admin@example.com";
const PASSWORD: &str = "nine quiet herons by the weir";

/// Keys take long to make: one set serves all tests.
static KEYS: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = TempDir::new().unwrap();
    let made = program(&[]).arg("init").arg("--dir").arg(dir.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    dir
});

/// Keys, a configuration, and the store's file.
pub(crate) struct Place {
    dir: TempDir,
    store: PathBuf,
}

/// A manager that listens; killed when the test is done with it.
pub(crate) struct Manager {
    child: Child,
    address: SocketAddr,
    /// Reads its log to the end and returns what is not a log line.
    rest: Option<JoinHandle<Vec<String>>>,
}

/// A manager that may not listen yet.
pub(crate) struct Starting {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    /// What it said to the operator so far.
    said: Vec<String>,
}

/// The program with nothing of our environment, which it would read.
fn program(tracer: &[String]) -> Command {
    let mut command = match tracer {
        [] => Command::new(PROGRAM),
        [tracer, arguments @ ..] => {
            let mut command = Command::new(tracer);
            command.args(arguments).arg(PROGRAM);
            command
        }
    };
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    command
}

/// The part of a log that is for the operator: log lines are JSON.
fn said(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.starts_with('{')).map(str::to_owned).collect()
}

/// Runs a command to its end: the lines it printed, or its exit code and why.
pub(crate) fn operate(words: &[&str]) -> Result<Vec<String>, (i32, String)> {
    let output = program(&[]).args(words).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if output.status.success() {
        return Ok(out.lines().map(str::to_owned).collect());
    }
    let reason = err.trim().strip_prefix("gthulhu-manager: ").unwrap_or(&err).to_owned();
    Err((output.status.code().unwrap(), reason))
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with_store_in(None)
    }

    /// The store in another directory than everything else.
    pub(crate) fn with_store_in(store: Option<&Path>) -> Self {
        let place = Self::with_keys();
        let store = store.unwrap_or(&place.state()).join("manager.redb");
        place.configured(&format!("[store]\nkind = \"redb\"\npath = '{}'\n", store.display()), store)
    }

    /// The store on a server, which this section names.
    pub(crate) fn with_mongodb(section: &str) -> Self {
        Self::with_keys().configured(section, PathBuf::new())
    }

    /// Where keys and everything else of one manager are.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn configured(self, sections: &str, store: PathBuf) -> Self {
        self.reconfigure(sections);
        Self { store, ..self }
    }

    /// Gives it another configuration.
    pub(crate) fn reconfigure(&self, sections: &str) {
        let config = format!(
            "[server]\nhost = \"127.0.0.1:0\"\n[state]\ndir = '{}'\n{sections}\
             [account]\nadmin_email = \"{NAME}\"\nadmin_password = \"{PASSWORD}\"\n",
            self.state().display(),
        );
        fs::write(self.dir.path().join("manager.toml"), config).unwrap();
    }

    /// Kills a command once it has printed so many lines; whether it had not ended by itself. Its work may be done anyway.
    pub(crate) fn interrupt(&self, words: &[&str], lines: usize) -> bool {
        let mut command = program(&[]);
        command.args(words).arg("--config").arg(self.dir.path().join("manager.toml"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines().take(lines);
        said.for_each(|line| drop(line.unwrap()));
        child.kill().unwrap();
        !child.wait().unwrap().success()
    }

    fn with_keys() -> Self {
        let dir = TempDir::new().unwrap();
        let state = dir.path().join("state");
        for part in ["", "keys", "certs"] {
            let (from, to) = (KEYS.path().join(part), state.join(part));
            fs::create_dir_all(&to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o700)).unwrap();
            for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
                if file.file_type().unwrap().is_file() {
                    fs::copy(file.path(), to.join(file.file_name())).unwrap();
                }
            }
        }
        Self { dir, store: PathBuf::new() }
    }

    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// Where everything is: `state`, and `manager.toml`.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Adds sections to the configuration.
    pub(crate) fn configure(&self, more: &str) {
        let path = self.dir.path().join("manager.toml");
        fs::write(&path, fs::read_to_string(&path).unwrap() + more).unwrap();
    }

    /// Gives it a cluster: a folder for pods with nothing in it. Without one it is never ready.
    pub(crate) fn with_pods(self) -> Self {
        let pods = self.dir().join("pods");
        fs::create_dir(&pods).unwrap();
        self.configure(&format!("[cluster]\npods_dir = '{}'\n", pods.display()));
        self
    }

    /// What the administrator logs in with.
    pub(crate) fn login() -> Value {
        json!({"username": NAME, "password": PASSWORD})
    }

    fn command(&self, tracer: &[String]) -> Command {
        let mut command = program(tracer);
        command.args(["serve", "--config"]).arg(self.dir.path().join("manager.toml"));
        command
    }

    /// Runs an operator's command to its end: the lines it printed, or its exit code and why.
    pub(crate) fn operate(&self, words: &[&str]) -> Result<Vec<String>, (i32, String)> {
        let config = self.dir.path().join("manager.toml");
        operate(&[words, &["--config", config.to_str().unwrap()]].concat())
    }

    /// Starts it and returns at once.
    pub(crate) fn spawn(&self) -> Starting {
        self.spawn_behind(&[])
    }

    /// The same, started by `tracer`, a program and its arguments.
    pub(crate) fn spawn_behind(&self, tracer: &[String]) -> Starting {
        let mut child = self.command(tracer).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Starting { child, lines, said: Vec::new() }
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(&self) -> Manager {
        self.spawn().listening()
    }

    /// Runs it to its end, which must come by itself: the exit code, and what it said to the operator.
    pub(crate) fn fail(&self) -> (Option<i32>, Vec<String>) {
        let Output { status, stderr, .. } = self.command(&[]).output().unwrap();
        (status.code(), said(&String::from_utf8(stderr).unwrap()))
    }
}

impl Starting {
    /// The next log line with this member, and what the member is; `None` when the manager ended before.
    pub(crate) fn until(&mut self, member: &str) -> Option<String> {
        loop {
            let line = self.lines.next()?.unwrap();
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(value) = event[member].as_str() {
                return Some(value.to_owned());
            }
            self.said.extend(said(&line));
        }
    }

    fn listening(self) -> Manager {
        self.outcome().unwrap_or_else(|end| panic!("it ended: {end:?}"))
    }

    /// Waits until it listens or has ended, and then how: the exit code, and what it said to the operator.
    pub(crate) fn outcome(mut self) -> Result<Manager, (Option<i32>, Vec<String>)> {
        let Some(address) = self.until("address") else {
            return Err((self.child.wait().unwrap().code(), self.said));
        };
        let Self { child, lines, .. } = self;
        // Somebody has to go on reading, or the program would wait for room in the pipe.
        let rest =
            std::thread::spawn(move || lines.map_while(Result::ok).flat_map(|line| said(&line)).collect());
        Ok(Manager { child, address: address.parse().unwrap(), rest: Some(rest) })
    }

    /// `kill -9`; whether it listened by then.
    pub(crate) fn kill(mut self) -> bool {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.until("address").is_some()
    }
}

impl Manager {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn login(&self) -> String {
        let login = Place::login();
        let answer =
            Wire::connect(self.address, "").unwrap().call("POST", "/api/v1/auth/login", "login", &login);
        answer.unwrap().data()["token"].as_str().unwrap().to_owned()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself: how, and what it said to the operator.
    pub(crate) fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().unwrap();
        (status, self.rest.take().unwrap().join().unwrap())
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
