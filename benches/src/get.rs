//! Goal `get`: the strategies of a node, asked for over HTTP with a token, against the least that a server can do with
//! the same bytes, and beside it against a usual one: axum, which makes its JSON for each request and asks for no token.
//!
//! All servers are processes of their own with one thread for requests. What counts is the CPU time that they spend,
//! whatever the caller and the machine's other work take.

mod daemon;
mod server;

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::compiled::{Running, compile, sibling};
use crate::harness::{Goal, Report, in_turns};
use daemon::Daemon;
use server::{Load, cpu_of_process, exchange, request};

/// Connections that ask at the same time.
const CONNECTIONS: usize = 32;
/// Requests of each turn.
const REQUESTS: usize = 20_000;
const TURNS: usize = 7;
const PATH: &str = "/api/v1/scheduling/strategies";

/// Measures and reports.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let daemon = Daemon::start(dir.path())?;
    let wanted = request("GET", PATH, Some(daemon.token()), b"");
    let reply = exchange(daemon.port(), &wanted)?;
    let load = Load::new(dir.path(), &wanted, CONNECTIONS, REQUESTS)?;

    std::fs::write(dir.path().join("reply"), &reply)?;
    let mut floor = Command::new(compile("epoll_server", dir.path())?);
    let (floor, floor_port) = Running::start(floor.arg(dir.path().join("reply")))?;
    let mut axum = Command::new(sibling("rival-axum")?);
    let (axum, axum_port) = Running::start(axum.arg(dir.path().join("reply")))?;
    let (floor_port, axum_port) = (floor_port.parse()?, axum_port.parse()?);
    if exchange(floor_port, &wanted)? != reply {
        return Err("the floor answers something else".into());
    }

    let cost = |pid: u32, port: u16| -> Outcome<Duration> {
        let before = cpu_of_process(pid)?;
        load.run(port)?;
        Ok(cpu_of_process(pid)?.saturating_sub(before))
    };
    let ours = || cost(daemon.pid(), daemon.port());
    let turns = in_turns(TURNS, || cost(floor.pid(), floor_port), ours)?;
    report.ratio("get", turns.b_over_a(), Goal::AtMost(1.5))?;
    let [least, own] = turns.each([REQUESTS, REQUESTS]);
    let usual = in_turns(TURNS, ours, || cost(axum.pid(), axum_port))?;
    let [_, axum_cost] = usual.each([REQUESTS, REQUESTS]);
    report.note(format_args!(
        "a reply of {} bytes to {CONNECTIONS} connections: {own:.2?} each, floor {least:.2?}, axum {axum_cost:.2?} \
         ({:.2} x ours)",
        reply.len(),
        usual.b_over_a()
    ))?;
    Ok(())
}
