//! A scheduler or a monitor that is switched off, as it is beside every decision maker of a cluster until somebody wants it, or that cannot be
//! had where it stands and need not be.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

#[test]
fn switched_off_it_may_do_nothing_and_stops_when_told() {
    waits_and_may_do_nothing("run", &[("SCX_SCHEDULER_ENABLE", "false")]);
}

#[test]
fn a_monitor_that_is_switched_off_may_do_nothing_and_stops_when_told() {
    waits_and_may_do_nothing("monitor", &[("SCX_MONITOR_ENABLE", "false")]);
}

#[test]
fn where_a_monitor_cannot_be_had_and_is_not_required_it_waits_as_well() {
    let nowhere = ("SCX_NODE_CGROUP_MOUNT", "/nonexistent");
    waits_and_may_do_nothing("monitor", &[("SCX_MONITOR_REQUIRED", "false"), nowhere]);
}

#[test]
fn where_it_cannot_be_had_and_is_not_required_it_waits_as_well() {
    const TEST: &str = "where_it_cannot_be_had_and_is_not_required_it_waits_as_well";
    if Path::new("/sys/kernel/sched_ext").exists() {
        println!("SKIPPED {TEST}: this machine can have a scheduler");
        return;
    }
    waits_and_may_do_nothing("run", &[("SCX_SCHEDULER_REQUIRED", "false")]);
}

/// The first variable is the one that says so.
fn waits_and_may_do_nothing(verb: &str, variables: &[(&str, &str)]) {
    let dir = tempfile::tempdir().unwrap();
    let supervisor = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_gthulhu-scx"))
        .args([verb, "--feed", "/nonexistent/feed.sock"])
        .env_clear()
        .envs(variables.iter().copied())
        .env("NOTIFY_SOCKET", dir.path().join("notify"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let key = key(variables[0].0);
    let instead = match verb {
        "monitor" => "the decision maker finds processes by itself",
        _ => "scheduling is left to the kernel",
    };
    assert!(line.contains(&format!("{key} is false: {instead}")), "{line}");
    let mut word = [0; 32];
    let length = supervisor.recv(&mut word).unwrap();
    assert_eq!(&word[..length], b"READY=1");
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    for set in ["CapEff", "CapPrm", "CapInh"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000\n")), "{status}");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
}

/// What the variable sets.
fn key(variable: &str) -> String {
    variable.trim_start_matches("SCX_").to_lowercase().replacen('_', ".", 1)
}
