//! A decision maker as it is shipped, on a planted proc file system with enough governed processes for 2 kB of JSON.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use gthulhu_http::files::{PRIVATE_FILE, write_atomic};
use gthulhu_http::keys::PrivateKey;
use gthulhu_http::time::unix_now;
use gthulhu_http::tokens::Signer;
use serde_json::{Value, json};

use super::server::{exchange, request};
use crate::Outcome;
use crate::compiled::sibling;

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const PROCESSES: u32 = 13;

pub(super) struct Daemon {
    child: Child,
    /// Kept open: it may have more to say.
    log: BufReader<ChildStderr>,
    port: u16,
    token: String,
}

impl Daemon {
    /// Starts it and pushes an intent for all processes.
    pub(super) fn start(dir: &Path) -> Outcome<Self> {
        let key = PrivateKey::generate()?;
        write_atomic(&dir.join("key.pem"), key.to_pem().as_bytes(), PRIVATE_FILE)?;
        plant(&dir.join("proc"))?;
        let dir = dir.display();
        let config = format!(
            "[server]\nhost = '127.0.0.1:0'\n[logging]\nlevel = 'warn,gthulhu_dm=info'\n\
             [token]\nrsa_private_key_path = '{dir}/key.pem'\n[state]\ndir = '{dir}/state'\n\
             [node]\nproc_root = '{dir}/proc'\nname = 'node-1'\n[feed]\nsocket = 'off'\n"
        );
        let file = format!("{dir}/dm_config.toml");
        fs::write(&file, config)?;
        let mut command = Command::new(sibling("gthulhu-dm")?);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DM_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--config", &file]).env("TOKIO_WORKER_THREADS", "1");
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = BufReader::new(child.stderr.take().ok_or("it has no standard error")?);
        let mut daemon = Daemon { child, log, port: 0, token: token(&key)? };
        daemon.port = daemon.await_listening()?;
        let intent = json!({
            "podName": "web-0", "podID": POD, "nodeID": "node-1", "k8sNamespace": "default", "commandRegex": "nginx",
            "priority": 3, "executionTime": 20_000_000, "podLabels": {"app": "web", "tier": "front"},
        });
        let body = json!({ "intents": [intent], "epoch": 1, "generation": 1 }).to_string();
        exchange(daemon.port, &request("POST", "/api/v1/intents", Some(&daemon.token), body.as_bytes()))?;
        Ok(daemon)
    }

    /// Reads its log up to the line that says where it listens.
    fn await_listening(&mut self) -> Outcome<u16> {
        let mut said = String::new();
        loop {
            let before = said.len();
            if self.log.read_line(&mut said)? == 0 {
                return Err(format!("the decision maker ended: {said}").into());
            }
            let event: Value = serde_json::from_str(&said[before..]).unwrap_or_default();
            if let Some(address) = event["address"].as_str() {
                return Ok(address.parse::<SocketAddr>()?.port());
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself, and then the measurement has failed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn token(key: &PrivateKey) -> Outcome<String> {
    let now = unix_now();
    Ok(Signer::new(key).sign(&json!({
        "client_id": "bench", "iss": "decision-maker-service", "sub": "bench",
        "exp": now + 3600, "nbf": now, "iat": now,
    }))?)
}

/// Plants an init process and [`PROCESSES`] processes of one pod.
fn plant(root: &Path) -> Outcome<()> {
    for pid in std::iter::once(1).chain(100..100 + PROCESSES) {
        let cgroup =
            if pid == 1 { "/init.scope".to_owned() } else { format!("/kubepods/burstable/pod{POD}/web") };
        let stat = format!("{pid} (nginx) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {pid} 0 0\n");
        let dir = root.join(pid.to_string());
        fs::create_dir_all(dir.join("task").join(pid.to_string()))?;
        fs::write(dir.join("cgroup"), format!("0::{cgroup}\n"))?;
        fs::write(dir.join("comm"), "nginx\n")?;
        fs::write(dir.join("task").join(pid.to_string()).join("stat"), &stat)?;
        fs::write(dir.join("stat"), stat)?;
    }
    Ok(())
}
