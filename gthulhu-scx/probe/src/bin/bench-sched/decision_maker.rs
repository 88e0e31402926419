//! gthulhu-dm as a child of the bench, with one intent, and just enough HTTP to give it that.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::machine::{Machine, POD, write};
use crate::process::Process;

/// Nothing else listens in the guest.
const ADDRESS: &str = "127.0.0.1:8080";

/// A decision maker that feeds the scheduler.
pub(crate) struct DecisionMaker {
    process: Process,
    socket: PathBuf,
}

impl DecisionMaker {
    /// Starts it with an intent of this priority for the machine's pod.
    pub(crate) fn start(machine: &Machine, priority: u32) -> io::Result<DecisionMaker> {
        let [private, public] = machine.keys();
        let (socket, config) = (machine.file("feed.sock"), machine.file("dm.toml"));
        let text = format!(
            "[server]\nhost = {host}\n[state]\ndir = {state}\n[token]\nrsa_private_key_path = {key}\n\
             [node]\nname = \"bench\"\n[feed]\nsocket = {socket}\n",
            host = json!(ADDRESS),
            state = json!(machine.file("dm")),
            key = json!(private),
            socket = json!(socket),
        );
        write(&config, &text)?;
        let mut command = Command::new(machine.decision_maker());
        command.args(["serve", "--config"]).arg(config);
        let mut process = Process::start(&mut command, machine.log("dm"))?;
        process.wait_until("the decision maker listens", || Ok(TcpStream::connect(ADDRESS).is_ok()))?;

        let key = fs::read_to_string(public)?;
        let answer = post("/api/v1/auth/token", "", &json!({"public_key": key}))?;
        let token = answer["data"]["token"].as_str().unwrap_or_default();
        let intent = json!({"podName": "bench", "podID": POD, "nodeID": "bench", "priority": priority});
        post("/api/v1/intents", token, &json!({"intents": [intent], "epoch": 1, "generation": 1}))?;
        Ok(DecisionMaker { process, socket })
    }

    /// Where it feeds the scheduler.
    pub(crate) fn socket(&self) -> &PathBuf {
        &self.socket
    }

    /// Its process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it.
    pub(crate) fn end(self) -> io::Result<()> {
        self.process.end(Signal::TERM)
    }
}

/// The body of the answer, which must be a success.
fn post(path: &str, token: &str, body: &Value) -> io::Result<Value> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(ADDRESS)?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(serde_json::from_str(body)?),
        _ => {
            let status = answer.lines().next().unwrap_or("no answer");
            Err(io::Error::other(format!("POST {path}: {status}")))
        }
    }
}
