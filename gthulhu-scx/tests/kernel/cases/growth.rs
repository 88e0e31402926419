//! What is new is governed from its first enqueue on: a fork, a program, a thread, a name, a cgroup.
//!
//! The kernel side counts, for each task and for each cgroup with a rule, the enqueues with and without a strategy. One
//! without would stay visible for ever.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::world::{Puppet, Scheduler, Seen, World, cgroup, container, until};

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";

fn by_cgroup() -> Scheduler {
    Scheduler::with(&json!({"intents": [{"cgroupPath": "/chosen", "priority": 5}]}))
}

fn by_name() -> Scheduler {
    Scheduler::with(&json!({"intents": [{"podID": POD, "commandRegex": "^nginx$", "priority": 5}]}))
}

/// Waits until it has run, and tells that it never did without its strategy.
fn always_governed(scheduler: &Scheduler, task: u32) {
    let seen = scheduler.comes_to_see("the new task has run", task, |seen| seen.enqueues > 3);
    assert!(seen.was_always_governed(), "{seen:?}");
}

/// Nobody in the cgroup was ever in a queue without a strategy.
fn nobody_else(scheduler: &Scheduler, cgroup: &Path) {
    // A task's enqueues are added to its rule's when its turn ends.
    until("its rule has counted", || scheduler.counts(cgroup).enqueues_governed > 0);
    let counts = scheduler.counts(cgroup);
    assert!(counts.first_governed_ns > 0, "{counts:?}");
    assert_eq!((counts.enqueues_normal, counts.enqueues_refused), (0, 0), "{counts:?}");
}

/// From here on only with a strategy.
fn governed_from_now_on(scheduler: &Scheduler, puppet: &mut Puppet) {
    let before = scheduler.sees(puppet.pid()).expect("it is there");
    let after = scheduler.sees_anew(puppet);
    assert!(after.is_governed(), "{after:?}");
    assert_eq!(after.enqueues_normal(), before.enqueues_normal(), "{before:?} {after:?}");
}

pub(crate) fn thread(world: &mut World) {
    let cgroup = cgroup("chosen");
    let scheduler = by_cgroup();
    let mut puppet = world.puppet("chosen", &cgroup);
    scheduler.governs(&mut puppet);
    for _ in 0..3 {
        let worker = puppet.makes("thread");
        always_governed(&scheduler, worker);
    }
    nobody_else(&scheduler, &cgroup);
    scheduler.stops();
}

/// A process that forks itself and goes on without executing anything.
pub(crate) fn fork(world: &mut World) {
    let cgroup = cgroup("chosen");
    let scheduler = by_cgroup();
    let mut sentinel = world.puppet("sentinel", &cgroup);
    scheduler.governs(&mut sentinel);
    let script = "echo $$ >$0/cgroup.procs; (while :; do read -t 0.005; done) <&0 & echo $!; wait";
    let mut shell = Command::new("bash")
        .args(["-c", script])
        .arg(&cgroup)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut line = String::new();
    let output = shell.stdout.take().expect("its output is a pipe");
    BufReader::new(output).read_line(&mut line).expect("it says its child's number");
    always_governed(&scheduler, line.trim().parse().expect("a number"));
    nobody_else(&scheduler, &cgroup);
    shell.kill().expect("it runs");
    shell.wait().expect("it was killed");
    scheduler.stops();
}

/// A process that is made and becomes another program; and one that does so under a name that a pattern means.
pub(crate) fn exec(world: &mut World) {
    let chosen = cgroup("chosen");
    let scheduler = by_cgroup();
    let mut puppet = world.puppet("chosen", &chosen);
    scheduler.governs(&mut puppet);
    let child = puppet.makes("child");
    always_governed(&scheduler, child);
    puppet.becomes(&world.program("another"));
    governed_from_now_on(&scheduler, &mut puppet);
    nobody_else(&scheduler, &chosen);
    scheduler.stops();

    let container = container(POD, 'a');
    let pod = cgroup(&format!("kubepods/pod{POD}"));
    let scheduler = by_name();
    let mut nginx = world.puppet("nginx", &container);
    scheduler.governs(&mut nginx);
    let mut puppet = world.puppet("sidecar", &container);
    scheduler.leaves_alone(&mut puppet);
    let asked = scheduler.counts(&pod).enqueues_normal;
    puppet.becomes(&world.program("nginx"));
    governed_from_now_on(&scheduler, &mut puppet);
    // The name is known, so nobody had to be asked: nothing was enqueued while an answer was awaited.
    assert_eq!(scheduler.counts(&pod).enqueues_normal, asked);
    scheduler.stops();
}

pub(crate) fn rename(world: &mut World) {
    let container = container(POD, 'a');
    let pod = cgroup(&format!("kubepods/pod{POD}"));
    let scheduler = by_name();
    let mut nginx = world.puppet("nginx", &container);
    scheduler.governs(&mut nginx);
    let mut puppet = world.puppet("sidecar", &container);
    let worker = puppet.makes("thread");
    scheduler.leaves_alone(&mut puppet);
    scheduler.comes_to_see("its thread is left alone too", worker, Seen::is_left_alone);
    let asked = scheduler.counts(&pod).enqueues_normal;
    puppet.does("rename nginx");
    governed_from_now_on(&scheduler, &mut puppet);
    scheduler.comes_to_see("its thread follows", worker, Seen::is_governed);
    assert_eq!(scheduler.counts(&pod).enqueues_normal, asked);
    puppet.does("rename sidecar");
    scheduler.leaves_alone(&mut puppet);
    scheduler.stops();
}

/// As container runtimes do it: a process is made elsewhere and moved in.
pub(crate) fn cgroup_move(world: &mut World) {
    let (cgroup, elsewhere) = (cgroup("chosen"), cgroup("elsewhere"));
    let scheduler = by_cgroup();
    let mut sentinel = world.puppet("sentinel", &cgroup);
    scheduler.governs(&mut sentinel);
    let mut puppet = world.puppet("mover", &elsewhere);
    let worker = puppet.makes("thread");
    scheduler.leaves_alone(&mut puppet);
    puppet.enters(&cgroup);
    governed_from_now_on(&scheduler, &mut puppet);
    scheduler.comes_to_see("its thread follows", worker, Seen::is_governed);
    nobody_else(&scheduler, &cgroup);
    puppet.enters(&elsewhere);
    scheduler.leaves_alone(&mut puppet);
    scheduler.stops();
}
