//! What happens to the scheduler's process and to processes that it governs: deaths, stops, numbers given anew, CPUs that
//! go, others who schedule.

use std::fs;

use gthulhu_probe::clock;
use rustix::process::Signal;
use serde_json::json;

use crate::world::{
    Helper, Other, Scheduler, Seen, Setting, World, attached, cgroup, comes_true, start_time, state, until,
};

const SECOND: u64 = 1_000_000_000;

fn chosen() -> serde_json::Value {
    json!({"intents": [{"cgroupPath": "/chosen", "priority": 5}]})
}

/// Hogs with and without a strategy, so that there is something to disturb.
fn load(world: &World) -> [Helper; 2] {
    let (chosen, other) = (cgroup("chosen"), cgroup("other"));
    [world.helper(&chosen, &["hog", "--threads", "2"]), world.helper(&other, &["hog", "--threads", "2"])]
}

/// Another process that gets the number of a governed one is not governed.
pub(crate) fn pid_reuse(world: &mut World) {
    let cgroup = cgroup("anywhere");
    let mut first = world.puppet("first", &cgroup);
    let pid = first.pid();
    let entry = json!({"pid": pid, "startTime": start_time(pid), "priority": 7});
    let scheduler = Scheduler::with(&json!({"intents": [entry]}));
    scheduler.governs(&mut first);
    drop(first);
    let mut second = None;
    until("the number is given anew", || {
        // The kernel gives the next free number after this one.
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).expect("root may set it");
        let puppet = world.puppet("second", &cgroup);
        let same = puppet.pid() == pid;
        second = Some(puppet);
        same
    });
    let mut second = second.expect("what was waited for");
    let seen = scheduler.sees_anew(&mut second);
    assert_eq!((seen.is_left_alone(), seen.enqueues_governed), (true, 0), "{seen:?}");
    until("the entry is told as gone", || scheduler.status().pids_gone == 1);
    scheduler.stops();
}

/// The process dies by SIGKILL: the kernel's own scheduler is back, every time.
///
/// Here it only has to come back, and the kernel to stay calm: the guest's clock is that of the wall, and the machine may be
/// busy. How soon is the row `killed` of `bench-sched`, where the clock counts instructions.
pub(crate) fn kill_nine(world: &mut World) {
    for round in 1..=if world.long { 20 } else { 2 } {
        let mut scheduler = Scheduler::with(&chosen());
        // After it: on an emulated machine, loading beside hogs takes minutes.
        let _load = load(world);
        assert!(scheduler.runs());
        scheduler.signal(Signal::KILL);
        until(&format!("the kernel's own scheduler is back, round {round}"), || state() == "disabled");
        assert_eq!(scheduler.end().code, None, "it died by the signal");
    }
}

/// The process is stopped: strategies go on to act, for new threads too.
pub(crate) fn stopped(world: &mut World) {
    let cgroup = cgroup("chosen");
    let mut puppet = world.puppet("chosen", &cgroup);
    let scheduler = Scheduler::with(&chosen());
    let _load = load(world);
    scheduler.governs(&mut puppet);
    let before = scheduler.counts(&cgroup);
    scheduler.signal(Signal::STOP);
    let worker = puppet.makes("thread");
    let child = puppet.makes("child");
    let seconds = if world.long { 60 } else { 5 };
    puppet.does(&format!("pulse {}", seconds * 1000));
    assert_eq!((state().as_str(), attached().is_empty()), ("enabled", false), "it stays attached");
    scheduler.signal(Signal::CONT);
    for task in [worker, child] {
        let seen = scheduler.comes_to_see("the new task has run", task, |seen| seen.enqueues > 3);
        assert!(seen.was_always_governed(), "{seen:?}");
    }
    let governed = || scheduler.counts(&cgroup).enqueues_governed;
    until("they have run on", || governed() > before.enqueues_governed + 100);
    assert_eq!(scheduler.counts(&cgroup).enqueues_normal, before.enqueues_normal);
    scheduler.stops();
}

/// An administrator takes the scheduler away by SysRq-S: it stays away, and the process says so.
pub(crate) fn sysrq(world: &mut World) {
    let mut scheduler = Scheduler::with(&chosen());
    fs::write("/proc/sysrq-trigger", "S").expect("root may");
    until("the kernel's own scheduler is back", || state() == "disabled");
    until("it says what happened", || scheduler.status().state == gthulhu_scx::status::State::Removed);
    let seconds = if world.long { 120 } else { 10 };
    assert!(!comes_true(seconds * SECOND, || state() != "disabled"), "it attached itself again");
    assert!(scheduler.runs(), "it goes on without scheduling");
    let status = scheduler.status();
    assert!(status.next_attempt_seconds.is_some_and(|left| left > 300), "{status:?}");
    scheduler.signal(Signal::TERM);
    assert_eq!(scheduler.end().code, Some(0));
}

/// Somebody else's scheduler is attached: it is named and left in peace.
pub(crate) fn other_scheduler(_: &mut World) {
    let other = Other::attaches();
    let scheduler = Scheduler::start(Setting::default(), &chosen());
    let end = scheduler.end();
    assert_eq!(end.code, Some(75), "{}", end.said);
    assert!(end.said.contains(Other::NAME), "{}", end.said);
    assert_eq!((state().as_str(), attached().as_str()), ("enabled", Other::NAME));
    drop(other);
    until("the other one is gone", || state() == "disabled");
    // And the other way round: who comes second is refused by the kernel, and nothing happens to the first.
    let scheduler = Scheduler::with(&chosen());
    scheduler.stops();
}

/// A version is replaced by the next: the gap is told, and strategies hold again after it.
pub(crate) fn upgrade(world: &mut World) {
    let mut puppet = world.puppet("chosen", &cgroup("chosen"));
    let old = Scheduler::with(&chosen());
    old.governs(&mut puppet);
    let begun = clock::now();
    old.stops();
    let new = Scheduler::with(&chosen());
    println!("without a scheduler of ours for at most {} ms", (clock::now() - begun) / 1_000_000);
    new.governs(&mut puppet);
    new.stops();
}

/// The first thread of a process ends, the others go on: they keep their strategy.
pub(crate) fn leader_exits(_: &mut World) {
    let cgroup = cgroup("chosen");
    let scheduler = Scheduler::with(&chosen());
    let mut leaderless = Helper::leaderless(&cgroup);
    let worker = leaderless.worker();
    for _ in 0..3 {
        let before = scheduler.sees(worker).map_or(0, |seen| seen.enqueues);
        let seen = scheduler.comes_to_see("the thread runs", worker, |seen| seen.enqueues > before + 3);
        assert!(seen.was_always_governed(), "{seen:?}");
    }
    drop(leaderless);
    scheduler.stops();
}
