//! A decision maker's place on disk, and the process that runs there.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use gthulhu_dm::auth::Claims;
use gthulhu_http::files::{PRIVATE_FILE, write_atomic};
use gthulhu_http::keys::PrivateKey;
use gthulhu_http::time::unix_now;
use gthulhu_http::tokens::Signer;
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gthulhu-dm");

/// Keys take long to make: one serves all tests.
static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().unwrap());

/// A key, a configuration, and the directory of the state file.
pub(crate) struct Place {
    dir: TempDir,
    state: PathBuf,
}

/// A process that may listen or not; killed when the test is done with it.
pub(crate) struct Process(Child);

/// A decision maker that listens.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) url: String,
    pub(crate) token: String,
}

/// How it ended before it listened: the exit code, and what it said to the operator.
pub(crate) type Ended = (Option<i32>, Vec<String>);

impl Place {
    pub(crate) fn new() -> Self {
        Self::with_state_in(None)
    }

    pub(crate) fn with_state_in(state: Option<&Path>) -> Self {
        let dir = TempDir::new().unwrap();
        let key = dir.path().join("key.pem");
        write_atomic(&key, KEY.to_pem().as_bytes(), PRIVATE_FILE).unwrap();
        let state = state.map_or_else(|| dir.path().join("state"), Path::to_path_buf);
        let config = format!(
            "[server]\nhost = \"127.0.0.1:0\"\n[token]\nrsa_private_key_path = '{}'\n[state]\ndir = '{}'\n\
             [node]\nname = \"node-1\"\n[feed]\nsocket = \"off\"\n",
            key.display(),
            state.display(),
        );
        fs::write(dir.path().join("dm.toml"), config).unwrap();
        Self { dir, state }
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Starts it behind `tracer`, a program and its arguments, and returns at once.
    pub(crate) fn spawn(&self, tracer: &[&str]) -> Process {
        let mut command = match tracer {
            [] => Command::new(PROGRAM),
            [tracer, arguments @ ..] => {
                let mut command = Command::new(tracer);
                command.args(arguments).arg(PROGRAM);
                command
            }
        };
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(["serve", "--config"]).arg(self.dir.path().join("dm.toml"));
        Process(command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(&self) -> (Process, Node) {
        let mut process = self.spawn(&[]);
        let node = process.listening().unwrap_or_else(|ended| panic!("it ended: {ended:?}"));
        (process, node)
    }
}

impl Process {
    /// Waits until it listens or has ended. To be called once.
    pub(crate) fn listening(&mut self) -> Result<Node, Ended> {
        let mut lines = BufReader::new(self.0.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines.by_ref() {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = event["address"].as_str() {
                // Somebody has to go on reading, or the program would wait for room in the pipe.
                std::thread::spawn(move || lines.count());
                let claims = Claims::new("manager-client", unix_now(), 3600);
                let token = Signer::new(&KEY).sign(&claims).unwrap();
                return Ok(Node { url: format!("http://{address}"), token });
            }
            // Log lines are JSON; what remains is for the operator.
            if !line.starts_with('{') {
                said.push(line);
            }
        }
        Err((self.0.wait().unwrap().code(), said))
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
