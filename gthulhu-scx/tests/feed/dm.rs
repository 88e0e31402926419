//! A decision maker as a process of its own, and just enough HTTP to speak to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use gthulhu_http::files::{PRIVATE_FILE, write_atomic};
use gthulhu_http::keys::PrivateKey;
use gthulhu_local::programs::find;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::PATIENCE;

/// A key, a configuration, a state and a socket.
pub(crate) struct Place {
    dir: TempDir,
    key: PrivateKey,
}

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place { dir: TempDir::new().unwrap(), key: PrivateKey::generate().unwrap() };
        write_atomic(&place.path("key.pem"), place.key.to_pem().as_bytes(), PRIVATE_FILE).unwrap();
        let config = format!(
            "[server]\nhost = '127.0.0.1:0'\n[token]\nrsa_private_key_path = {key}\n[state]\ndir = {state}\n\
             [node]\nname = 'node-1'\n[feed]\nsocket = {socket}\n",
            key = json!(place.path("key.pem")),
            state = json!(place.path("state")),
            socket = json!(place.socket()),
        );
        fs::write(place.path("dm.toml"), config).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("feed.sock")
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(&self) -> Dm {
        let mut command = Command::new(find("gthulhu-dm").unwrap());
        command.args(["serve", "--config"]).arg(self.path("dm.toml")).env_clear();
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said:#?}"));
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = event["address"].as_str() {
                break address.to_owned();
            }
            said.push(line);
        };
        // Somebody has to go on reading, or the program would wait for room in the pipe.
        std::thread::spawn(move || lines.count());
        let mut dm = Dm { child, address, token: String::new() };
        let body = json!({"public_key": self.key.public().to_pem()}).to_string();
        let reply: Value = serde_json::from_str(&dm.ask("POST", "/api/v1/auth/token", &body)).unwrap();
        reply["data"]["token"].as_str().unwrap().clone_into(&mut dm.token);
        dm
    }
}

/// A running decision maker; killed when the test is done with it.
pub(crate) struct Dm {
    child: Child,
    address: String,
    token: String,
}

impl Dm {
    /// The body of the reply.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (host, token, length) = (&self.address, &self.token, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{reply}"));
        if method == "POST" {
            assert!(head.starts_with("HTTP/1.1 200 "), "{reply}");
        }
        body.to_owned()
    }

    /// Pushes a set of intents.
    pub(crate) fn push(&self, set: &Value) {
        self.ask("POST", "/api/v1/intents", &set.to_string());
    }

    /// Waits until a page has this text.
    pub(crate) fn shows(&self, page: &str, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let shown = self.ask("GET", page, "");
            if shown.contains(text) {
                return;
            }
            assert!(Instant::now() < end, "never {text}, but\n{shown}");
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Dm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
