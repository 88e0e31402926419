//! A decision maker as it is shipped, on a planted proc file system with enough governed processes for 2 kB of JSON.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gthulhu_http::files::{PRIVATE_FILE, write_atomic};
use gthulhu_http::keys::PrivateKey;
use gthulhu_http::time::unix_now;
use gthulhu_http::tokens::Signer;
use serde_json::json;

use super::server::{exchange, request};
use crate::Outcome;
use crate::compiled::sibling;

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const PROCESSES: u32 = 13;

pub(super) struct Daemon {
    child: Child,
    port: u16,
    token: String,
}

impl Daemon {
    /// Starts it and pushes an intent for all processes.
    pub(super) fn start(dir: &Path) -> Outcome<Self> {
        let key = PrivateKey::generate()?;
        write_atomic(&dir.join("key.pem"), key.to_pem().as_bytes(), PRIVATE_FILE)?;
        plant(&dir.join("proc"))?;
        // Free until somebody else takes it in the next moment.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = dir.display();
        let config = format!(
            "[server]\nhost = '127.0.0.1:{port}'\n[logging]\nlevel = 'warn'\n\
             [token]\nrsa_private_key_path = '{dir}/key.pem'\n[state]\ndir = '{dir}/state'\n\
             [node]\nproc_root = '{dir}/proc'\nname = 'node-1'\n"
        );
        let file = format!("{dir}/dm_config.toml");
        fs::write(&file, config)?;
        let mut command = Command::new(sibling("gthulhu-dm")?);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DM_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--config", &file]).env("TOKIO_WORKER_THREADS", "1").stdin(Stdio::null());
        let daemon = Daemon { child: command.spawn()?, port, token: token(&key)? };
        daemon.await_listening()?;
        let intent = json!({
            "podName": "web-0", "podID": POD, "nodeID": "node-1", "k8sNamespace": "default", "commandRegex": "nginx",
            "priority": 3, "executionTime": 20_000_000, "podLabels": {"app": "web", "tier": "front"},
        });
        let body = json!({ "intents": [intent], "epoch": 1, "generation": 1 }).to_string();
        exchange(port, &request("POST", "/api/v1/intents", Some(&daemon.token), body.as_bytes()))?;
        Ok(daemon)
    }

    fn await_listening(&self) -> Outcome<()> {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err("the decision maker does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
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
