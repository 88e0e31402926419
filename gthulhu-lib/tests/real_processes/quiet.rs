//! What a node costs on which nothing happens: with the source that is told of everything no file of `/proc` is opened, as
//! `strace` sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use gthulhu_lib::engine::{Engine, EngineOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::actors::{Actor, Idle};
use crate::intents;
use crate::pods::{Pods, skipped};
use crate::sources::{LOOKS, told};
use crate::table::{A, B};

/// How long is watched, in milliseconds, unless `GTHULHU_QUIET` says otherwise.
const WATCHED: u64 = 2000;
const BEGUN: &str = "/nonexistent/begun";
const ENDED: &str = "/nonexistent/ended";

/// The name of each process of the machine.
fn names() -> BTreeMap<u32, Vec<u8>> {
    let pids = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| Some((pid, fs::read(format!("/proc/{pid}/comm")).ok()?))).collect()
}

#[test]
fn an_unchanged_node_opens_no_file_of_proc() {
    let test = "an_unchanged_node_opens_no_file_of_proc";
    let Some(pods) = Pods::new(test) else { return };
    if Command::new("strace").arg("-V").output().is_err() {
        return skipped(test, "there is no strace");
    }
    let [here, there] = [A, B].map(|uid| pods.container(uid));
    let _threaded = Actor::threaded("nginx", &here);
    let idle = [Idle::start(), Idle::start()];
    here.nested("deeper").add(idle[0].pid());
    there.add(idle[1].pid());
    let dir = tempfile::tempdir().expect("a temporary directory");
    let trace = dir.path().join("trace");
    let before = names();
    let output = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=open,openat,openat2", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().expect("this test is a program"))
        .args(["--exact", "quiet::follows_when_told", "--nocapture"])
        .env("GTHULHU_TEST_FOLLOW", pods.root())
        .output()
        .expect("strace runs");
    let after = names();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    if let Some(why) = text.lines().find_map(|line| line.strip_prefix("unavailable: ")) {
        return skipped(test, why);
    }
    let trace = fs::read_to_string(trace).expect("strace wrote it");
    let watched = trace.split_once(BEGUN).and_then(|(_, rest)| rest.split_once(ENDED)).expect("both marks").0;
    // Where the first mark's line ends is of no interest.
    let of_proc: Vec<&str> = watched.lines().skip(1).filter(|line| line.contains("/proc")).collect();
    assert!(LOOKS || of_proc.is_empty(), "opened: {of_proc:#?}");
    // Other programs of this machine may start: those are looked at, since they might be in a pod.
    let unchanged = |pid: &u32| before.get(pid).is_some_and(|name| after.get(pid) == Some(name));
    let mut others = BTreeSet::new();
    for line in &of_proc {
        let pid = pid_of(line).unwrap_or_else(|| panic!("opened: {line}"));
        assert!(!unchanged(&pid), "opened, though nothing happened to it: {line}");
        others.insert(pid);
    }
    println!(
        "{} files of /proc were opened, of {} programs that others started meanwhile; {} looks",
        of_proc.len(),
        others.len(),
        text.lines().find_map(|line| line.strip_prefix("looks: ")).expect("they are counted"),
    );
}

/// The process in `openat(5</proc>, "123/stat", ...`.
fn pid_of(line: &str) -> Option<u32> {
    line.split('"').nth(1)?.trim_start_matches("/proc/").split('/').next()?.parse().ok()
}

/// What runs under `strace`: waits for what is told, and looks by itself now and then. Run as an ordinary test it does
/// nothing.
#[test]
fn follows_when_told() {
    let Some(root) = std::env::var_os("GTHULHU_TEST_FOLLOW") else { return };
    println!();
    let source = match told(root.into_string().expect("the root is text")) {
        Ok(source) => source,
        Err(why) => return println!("unavailable: {why}"),
    };
    let watched = std::env::var("GTHULHU_QUIET").map_or(WATCHED, |text| text.parse().expect("a number"));
    let mut engine = Engine::new(source, EngineOptions::default());
    engine.apply(intents(&[(A, "")])).expect("it can be looked");
    // The lists are read once more, for comparison.
    engine.refresh().expect("it can be looked");
    let tasks = engine.counters().tasks;
    assert!(tasks >= 3, "{tasks} tasks are governed");
    let _ = fs::File::open(BEGUN);
    let (begun, mut looks) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_millis(watched) {
        let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        let fd = engine.wake_fd().expect("it tells");
        let told = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&wait));
        if told.expect("it can be waited for") == 1 {
            engine.follow().expect("it can be looked");
        }
        engine.refresh().expect("it can be looked");
        looks += 1;
    }
    let _ = fs::File::open(ENDED);
    assert_eq!(engine.counters().tasks, tasks);
    println!("looks: {looks}");
}
