//! Much, and hostile: strategies by the ten thousands, values off the scale, forks without end, hogs that want it all.

use std::process::{Command, Stdio};

use gthulhu_probe::{clock, cpu_time};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::world::{
    GREAT_PATIENCE, Helper, Scheduler, Setting, World, attached, cgroup, container, run, until, until_within,
};

const SECOND: u64 = 1_000_000_000;

/// A hundred thousand strategies, of which two mean somebody who is here.
pub(crate) fn many_strategies(world: &mut World) {
    const MANY: u32 = 100_000;
    let uid = |number: u32| format!("00000000-0000-4000-8000-{number:012x}");
    let entry = |number, priority| format!(r#"{{"podID":"{}","priority":{priority}}}"#, uid(number));
    let mut first = world.puppet("first", &container(&uid(1), 'a'));
    let mut last = world.puppet("last", &container(&uid(MANY), 'a'));
    // Text: a tree of so many values takes an emulated machine long to make.
    let entries: Vec<String> = (1..=MANY).map(|number| entry(number, 1 + number % 20)).collect();
    let intents = format!(r#"{{"intents":[{}]}}"#, entries.join(","));
    let mut scheduler = Scheduler::start(Setting::default(), &intents).given(GREAT_PATIENCE);
    scheduler.await_attached();
    assert_eq!(scheduler.governs(&mut first).priority, 2);
    assert_eq!(scheduler.governs(&mut last).priority, 1);
    let status = scheduler.status();
    assert_eq!((status.intents.entries, status.refused), (MANY as usize, 0));
    // One more, and one fewer: both are still noticed.
    let mut other = world.puppet("other", &container(&uid(MANY + 1), 'a'));
    scheduler.gets(&intents.replacen(&entries[0], &entry(MANY + 1, 9), 1));
    let is_new = || scheduler.status().generation > status.generation;
    until_within(GREAT_PATIENCE, "the change is published", is_new);
    assert_eq!(scheduler.sees_anew(&mut other).priority, 9);
    scheduler.leaves_alone(&mut first);
    scheduler.stops();
}

/// What is off the scale is refused with the rule, and what held before stays; what is at its ends does no harm.
pub(crate) fn hostile_values(world: &mut World) {
    let cgroup = cgroup("chosen");
    let mut puppet = world.puppet("chosen", &cgroup);
    let entry = |priority: Value, slice: Value| json!({"intents": [{"cgroupPath": "/chosen", "priority": priority, "executionTime": slice}]});
    let mut scheduler = Scheduler::with(&entry(json!(5), json!(0)));
    scheduler.governs(&mut puppet);
    for (priority, slice) in [
        (json!(-1), json!(0)),
        (json!(21), json!(0)),
        (json!(1_000_000_000), json!(0)),
        (json!(u64::MAX), json!(0)),
        (json!(5), json!(-1)),
        (json!(5), json!(u64::MAX)),
        (json!("5"), json!(0)),
        (json!(1.5), json!(0)),
    ] {
        scheduler.gets(&entry(priority.clone(), slice.clone()));
        until("the file is refused", || scheduler.status().intents.error.is_some());
        assert_eq!(scheduler.governs(&mut puppet).priority, 5, "after {priority} {slice}");
        scheduler.gets(&entry(json!(5), json!(0)));
        until("a good file is taken again", || scheduler.status().intents.error.is_none());
    }
    let _load = [world.helper(&cgroup, &["hog", "--threads", "2"]), normal_hogs(world, 2)];
    for (priority, slice) in [(0, 1), (1, 1), (20, 1), (1, i64::MAX / 2), (20, 1_000_000_000_000), (0, 0)] {
        scheduler.gets(&entry(json!(priority), json!(slice)));
        until("it is taken or refused", || {
            let status = scheduler.status();
            status.intents.error.is_some() || scheduler.governs(&mut puppet).priority == priority
        });
        puppet.does("pulse 200");
        assert!(scheduler.runs() && !attached().is_empty(), "with priority {priority} and slice {slice}");
    }
    scheduler.stops();
}

fn normal_hogs(world: &World, threads: u32) -> Helper {
    world.helper(&cgroup("normal"), &["hog", "--threads", &threads.to_string()])
}

/// A governed pod that forks without end: every child is governed, others get their share, nothing is thrown out.
pub(crate) fn fork_storm(world: &mut World) {
    let cgroup = cgroup("chosen");
    let mut sentinel = world.puppet("sentinel", &cgroup);
    let mut scheduler = Scheduler::with(&json!({"intents": [{"cgroupPath": "/chosen", "priority": 1}]}));
    scheduler.governs(&mut sentinel);
    let hog = normal_hogs(world, 2);
    let begun = clock::now();
    // Three of them, each with children that end at once and grandchildren that compute a little first.
    let script = "echo $$ >$0/cgroup.procs; while :; do (: & for i in 1 2 3; do :; done &) & wait; done";
    let storm: Vec<Helper> = (0..3)
        .map(|_| {
            let mut shell = Command::new("bash");
            shell.args(["-c", script]).arg(&cgroup).stdin(Stdio::piped()).stdout(Stdio::piped());
            Helper(shell.spawn().expect("there is a shell"))
        })
        .collect();
    sentinel.does(&format!("pulse {}", if world.long { 60_000 } else { 5_000 }));
    let (elapsed, got) = (clock::now() - begun, cpu_time::of_process(hog.pid()));
    drop(storm);
    assert!(scheduler.runs() && !attached().is_empty());
    // Two CPUs; a tenth of them is far below the floor, and far above nothing.
    assert!(got * 10 > elapsed * 2, "normal tasks got {} of {} ms", got / 1_000_000, elapsed * 2 / 1_000_000);
    let counts = scheduler.counts(&cgroup);
    assert!(counts.enqueues_governed > 100, "{counts:?}");
    assert_eq!((counts.enqueues_normal, counts.enqueues_refused), (0, 0), "{counts:?}");
    until("the storm's processes are forgotten", || scheduler.stats().counters.more["governed_tasks"] < 50);
    scheduler.stops();
}

/// More hogs of the strongest priority than CPUs, pinned and not: normal tasks go on, and so does the scheduler.
pub(crate) fn strong_hogs(world: &mut World) {
    let cgroup = cgroup("chosen");
    let mut scheduler = Scheduler::with(&json!({"intents": [{"cgroupPath": "/chosen", "priority": 1}]}));
    let pin = |helper: Helper| {
        let pid = helper.pid().to_string();
        run("taskset", &["-a", "-c", "-p", "0", &pid]).expect("a task can be pinned");
        helper
    };
    let _strong = [
        world.helper(&cgroup, &["hog", "--threads", "4"]),
        pin(world.helper(&cgroup, &["hog", "--threads", "2"])),
    ];
    let normal = normal_hogs(world, 2);
    let pinned = pin(normal_hogs(world, 1));
    let before = [normal.pid(), pinned.pid()].map(cpu_time::of_process);
    clock::sleep(if world.long { 60 } else { 8 } * SECOND);
    for (pid, before) in [normal.pid(), pinned.pid()].into_iter().zip(before) {
        let got = cpu_time::of_process(pid) - before;
        assert!(got > SECOND / 5, "a normal process got {} ms", got / 1_000_000);
    }
    assert!(scheduler.runs() && !attached().is_empty());
    assert_eq!(scheduler.status().failures, 0);
    scheduler.stops();
}

/// Strategies that change without end are published ten times a second at most, and the last one holds.
pub(crate) fn strategy_storm(world: &mut World) {
    let cgroup = cgroup("chosen");
    let mut puppet = world.puppet("chosen", &cgroup);
    let intents = |priority| json!({"intents": [{"cgroupPath": "/chosen", "priority": priority}]});
    let scheduler = Scheduler::with(&intents(20));
    scheduler.governs(&mut puppet);
    let (begun, generation) = (clock::now(), scheduler.status().generation);
    let changes = if world.long { 20_000 } else { 1_000 };
    for number in 0..changes {
        scheduler.gets(&intents(1 + number % 20));
    }
    scheduler.gets(&intents(7));
    until("the last one holds", || scheduler.governs(&mut puppet).priority == 7);
    let (elapsed, published) = (clock::now() - begun, scheduler.status().generation - generation);
    assert!(published <= 3 + elapsed * 10 / SECOND, "{published} in {} ms", elapsed / 1_000_000);
    scheduler.stops();
}

/// More happens than fits into the ring of events while nobody reads it: that is counted, and made up for.
pub(crate) fn ring_full(world: &mut World) {
    let uid = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
    let intents = json!({"intents": [{"podID": uid, "commandRegex": "^(late|nginx)$", "priority": 5}]});
    let mut sentinel = world.puppet("nginx", &container(uid, 'a'));
    let scheduler = Scheduler::with(&intents);
    scheduler.governs(&mut sentinel);
    scheduler.signal(Signal::STOP);
    let script = "echo $$ >$0/cgroup.procs; for i in {1..700}; do (:); done";
    let cgroup = container(uid, 'a').display().to_string();
    run("bash", &["-c", script, &cgroup]).expect("there is a shell");
    // Made while nobody looks.
    let mut late = world.puppet("late", &container(uid, 'b'));
    late.wakes_up();
    scheduler.signal(Signal::CONT);
    scheduler.governs(&mut late);
    scheduler.governs(&mut sentinel);
    let counters = scheduler.stats().counters;
    assert!(counters.metrics.nr_sched_congested > 0, "events that found no room are counted: {counters:?}");
    scheduler.stops();
}

/// Hundreds of tasks that all want to run: each has its turn before the kernel loses patience.
///
/// Two thousand are a row of `bench-sched`, where the clock counts instructions. Here it is the wall's, and the kernel's
/// patience of half a minute is real: a switch of tasks takes an emulated CPU beside other work up to a tenth of a second, a
/// round of two thousand then longer than that, whoever schedules.
pub(crate) fn many_runnable(world: &mut World) {
    let mut puppet = world.puppet("chosen", &cgroup("chosen"));
    let mut scheduler = Scheduler::with(&json!({"intents": [{"cgroupPath": "/chosen", "priority": 5}]}));
    scheduler.governs(&mut puppet);
    let hogs = [normal_hogs(world, 150), normal_hogs(world, 150)];
    // The first thread of each only waits for the end.
    let threads = |hog: &Helper| cpu_time::of_threads(hog.pid()).into_iter().skip(1);
    let times = || hogs.iter().flat_map(threads).collect::<Vec<u64>>();
    until_within(GREAT_PATIENCE, "all are there", || times().len() == 300);
    let before = times();
    puppet.does("pulse 40000");
    until_within(GREAT_PATIENCE, "each has had a turn", || {
        times().iter().zip(&before).all(|(now, before)| now > before)
    });
    assert!(scheduler.runs() && !attached().is_empty());
    assert_eq!(scheduler.status().failures, 0);
    scheduler.stops();
}
