//! Who is meant: by cgroup, by pod, by name, by number; and no longer.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::world::{Puppet, Scheduler, Seen, Setting, World, cgroup, container, start_time, table_at, until};

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";

/// Not one enqueue with a strategy, as long as it was looked at.
fn is_left_alone(scheduler: &Scheduler, puppet: &mut Puppet) {
    scheduler.leaves_alone(puppet);
    let seen = scheduler.sees_anew(puppet);
    assert_eq!((seen.is_left_alone(), seen.enqueues_governed), (true, 0), "{seen:?}");
}

/// A cgroup's path means every process in it and below, and nobody else.
pub(crate) fn by_cgroup(world: &mut World) {
    // A cgroup has processes or cgroups in it, not both.
    let (inside, below, elsewhere) = (cgroup("chosen/near"), cgroup("chosen/far/away"), cgroup("elsewhere"));
    // One is there before the scheduler, and one comes after.
    let mut early = world.puppet("early", &inside);
    let mut other = world.puppet("other", &elsewhere);
    let intents = json!({"intents": [{"cgroupPath": "/chosen", "priority": 5, "executionTime": 3_000_000}]});
    let scheduler = Scheduler::with(&intents);

    let seen = scheduler.governs(&mut early);
    assert_eq!((seen.source.as_str(), seen.priority, seen.slice_ns), ("cgroup", 5, 3_000_000));
    let mut late = world.puppet("late", &below);
    assert!(scheduler.governs(&mut late).enqueues_governed > 0);
    is_left_alone(&scheduler, &mut other);
    let chosen = cgroup("chosen");
    until("its rule has counted", || scheduler.counts(&chosen).enqueues_governed > 0);
    let counts = scheduler.counts(&chosen);
    assert_eq!((counts.enqueues_normal, counts.enqueues_refused), (0, 0), "{counts:?}");

    // The same by the program's verbs.
    let told = scheduler.tells(&["status", "--json"]);
    assert!(told.contains(r#""state":"attached""#), "{told}");
    let told = scheduler.tells(&["stats", "--json"]);
    assert!(told.contains(r#""/chosen":{"#), "{told}");
    let told = scheduler.tells(&["explain", &early.pid().to_string()]);
    assert!(told.contains("kernel: priority 5, slice 3000 us, by the rule of /chosen"), "{told}");
    scheduler.stops();
}

/// Other programs find in the table what the kernel side does, and as long as it does.
pub(crate) fn shared_table(world: &mut World) {
    let mut inside = world.puppet("inside", &cgroup("chosen"));
    let other = world.puppet("other", &cgroup("elsewhere"));
    let socket = Path::new("/run/table/table.sock");
    let settings = vec![("SCX_TABLE_SOCKET", socket.display().to_string())];
    let intents = json!({"intents": [{"cgroupPath": "/chosen", "priority": 5, "executionTime": 3_000_000}]});
    let mut scheduler = Scheduler::start(Setting { settings, ..Setting::default() }, &intents);
    scheduler.await_attached();

    scheduler.governs(&mut inside);
    let table = table_at(socket);
    let due = || table.lookup_task(inside.pid(), start_time(inside.pid()));
    until("the table has it", || due().is_some());
    let strategy = due().expect("what was waited for").resolved();
    assert_eq!((strategy.priority(), strategy.slice_ns()), (5, 3_000_000));
    assert_eq!(table.lookup(other.pid()), None);
    scheduler.gets(&json!({"intents": []}));
    until("the table does not have it any more", || due().is_none());
    scheduler.stops();
    assert!(!socket.exists(), "it takes its socket along");
}

/// A pod's uid means its containers, those that are made later too, and no other pod's.
pub(crate) fn by_pod(world: &mut World) {
    let mut early = world.puppet("early", &container(POD, 'a'));
    let stranger = container("5e2f3f34-6b0a-4f5b-8a8d-0d1a3c1f9b77", 'a');
    let mut other = world.puppet("other", &stranger);
    let scheduler = Scheduler::with(&json!({"intents": [{"podID": POD, "priority": 3}]}));

    assert_eq!(scheduler.governs(&mut early).priority, 3);
    let mut late = world.puppet("late", &container(POD, 'b'));
    scheduler.governs(&mut late);
    is_left_alone(&scheduler, &mut other);
    scheduler.stops();
}

/// A pattern means the processes of those names.
pub(crate) fn by_regex(world: &mut World) {
    let container = container(POD, 'a');
    let (mut nginx, mut other) = (world.puppet("nginx", &container), world.puppet("sidecar", &container));
    let intents = json!({"intents": [{"podID": POD, "commandRegex": "^ngi.x$", "priority": 2}]});
    let scheduler = Scheduler::with(&intents);

    let seen = scheduler.governs(&mut nginx);
    assert_eq!((seen.source.as_str(), seen.priority), ("verdict", 2));
    is_left_alone(&scheduler, &mut other);
    // A name that nobody has asked about until now.
    let mut late = world.puppet("ngiNx", &container);
    scheduler.governs(&mut late);
    until("the verdicts are counted", || scheduler.status().verdicts >= 3);
    scheduler.stops();
}

/// A number means the process that has it and began then.
pub(crate) fn by_pid(world: &mut World) {
    let cgroup = cgroup("anywhere");
    let (mut chosen, mut other) = (world.puppet("chosen", &cgroup), world.puppet("other", &cgroup));
    let mut younger = world.puppet("younger", &cgroup);
    let entry = |puppet: &Puppet, start| json!({"pid": puppet.pid(), "startTime": start, "priority": 7});
    let scheduler = Scheduler::with(&json!({"intents": [
        entry(&chosen, start_time(chosen.pid())),
        entry(&younger, start_time(younger.pid()) - 1),
        // Nobody has this number.
        {"pid": 4_194_304, "startTime": 1, "priority": 7},
    ]}));

    let seen = scheduler.governs(&mut chosen);
    assert_eq!((seen.source.as_str(), seen.priority), ("pid", 7));
    is_left_alone(&scheduler, &mut other);
    is_left_alone(&scheduler, &mut younger);
    // They are looked for only now and then.
    until("both are told as gone", || scheduler.status().pids_gone == 2);
    let worker = chosen.makes("thread");
    let seen = scheduler.comes_to_see("the thread runs", worker, |seen| seen.enqueues > 3);
    assert!(seen.was_always_governed(), "threads follow their leader: {seen:?}");
    scheduler.stops();
}

/// What is taken away acts no longer, and what is changed acts as changed.
pub(crate) fn removal(world: &mut World) {
    let cgroup = cgroup("chosen");
    let mut puppet = world.puppet("chosen", &cgroup);
    let worker = puppet.makes("thread");
    let intents = |priority| json!({"intents": [{"cgroupPath": "/chosen", "priority": priority}]});
    let scheduler = Scheduler::with(&intents(9));
    assert_eq!(scheduler.governs(&mut puppet).priority, 9);

    scheduler.gets(&intents(4));
    until("the new priority holds", || scheduler.governs(&mut puppet).priority == 4);
    scheduler.gets(&json!({"intents": []}));
    let before = scheduler.leaves_alone(&mut puppet);
    let after = scheduler.sees_anew(&mut puppet);
    assert_eq!((after.is_left_alone(), after.enqueues_governed), (true, before.enqueues_governed));
    scheduler.comes_to_see("its thread has none either", worker, Seen::is_left_alone);
    assert!(scheduler.stats().cgroups.is_empty());
    scheduler.stops();
}

/// A pod that goes takes its rule with it; the next one of the same name is found again.
pub(crate) fn pod_deleted(world: &mut World) {
    let scheduler = Scheduler::with(&json!({"intents": [{"podID": POD, "priority": 3}]}));
    for _ in 0..2 {
        let cgroup = container(POD, 'a');
        let mut puppet = world.puppet("member", &cgroup);
        scheduler.governs(&mut puppet);
        assert!(scheduler.status().rules > 0);
        drop(puppet);
        until("the container can be removed", || fs::remove_dir(&cgroup).is_ok());
        let pod = cgroup.parent().expect("a container is in a pod");
        until("the pod can be removed", || fs::remove_dir(pod).is_ok());
        until("its rule is gone", || scheduler.status().rules == 0);
    }
    scheduler.stops();
}
