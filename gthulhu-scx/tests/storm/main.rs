//! More happens than can be told. A program of its own: whoever hears of processes at the same time would lose events.

#[path = "../../../gthulhu-lib/tests/real_processes/pods.rs"]
#[expect(dead_code, reason = "the library's other tests use the rest")]
mod pods;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::{Child, Command};

use gthulhu_lib::process::{Change, Changes, Governed, ProcessSource as _};
use gthulhu_scx::watch::{BpfEvents, WatchOptions};

use pods::{Pods, skipped};

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";

/// Names given to a leader; each takes 72 bytes of the ring's four megabytes.
const STORM: usize = 70_000;

struct Idle(Child);

impl Idle {
    fn start() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().expect("sleep runs"))
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_could_not_be_told_costs_a_snapshot_and_nothing_else() {
    let test = "what_could_not_be_told_costs_a_snapshot_and_nothing_else";
    let Some(pods) = Pods::new(test) else { return };
    let container = pods.container(POD);
    let cgroup_root = Some(pods.root().to_owned());
    let mut source = match BpfEvents::new(&WatchOptions { cgroup_root, ..WatchOptions::default() }) {
        Ok(source) => source,
        Err(why) => return skipped(test, &why.to_string()),
    };
    let governed = Governed::from_iter([POD]);
    source.snapshot(&governed).expect("it can be looked");
    assert_eq!(source.changes().expect("it can be asked"), Changes::List(Vec::new()));

    let mut comm = OpenOptions::new().write(true).open("/proc/self/comm").expect("it is one's own");
    for _ in 0..STORM {
        comm.write_all(b"storm").expect("it is one's own");
    }
    // Neither the new cgroup nor the process is told of.
    let idle = Idle::start();
    container.nested("new").add(idle.0.id());
    assert_eq!(source.changes().expect("it can be asked"), Changes::Unknown);
    assert_eq!(source.changes().expect("it can be asked"), Changes::Unknown, "until there is a snapshot");
    let snapshot = source.snapshot(&governed).expect("it can be looked");
    let found: Vec<u32> = snapshot.processes.iter().map(|process| process.id.pid).collect();
    assert_eq!((found, snapshot.left_out.unreadable), (vec![idle.0.id()], 0));
    let started = snapshot.processes[0].id;
    drop(idle);
    let gone = Changes::List(vec![Change::Gone(started)]);
    assert_eq!(source.changes().expect("it can be asked"), gone);
}
