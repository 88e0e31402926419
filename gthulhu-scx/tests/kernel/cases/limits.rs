//! What Kubernetes promises with requests and limits holds under this scheduler too.

use std::fs;
use std::path::Path;

use gthulhu_probe::{clock, cpu_time};
use serde_json::json;

use crate::world::{Helper, Scheduler, World, attached, cgroup, run};

const SECOND: u64 = 1_000_000_000;

fn set(cgroup: &Path, file: &str, value: &str) {
    fs::write(cgroup.join(file), value).expect("the cgroup counts CPU time");
}

/// A hog in the cgroup that may run on the first CPU only.
fn pinned_hog(world: &World, cgroup: &Path) -> Helper {
    let hog = world.helper(cgroup, &["hog"]);
    run("taskset", &["-a", "-c", "-p", "0", &hog.pid().to_string()]).expect("a task can be pinned");
    hog
}

/// CPU time of each in the next seconds, in nanoseconds.
fn earn(hogs: &[&Helper], seconds: u64) -> Vec<u64> {
    let times = || -> Vec<u64> { hogs.iter().map(|hog| cpu_time::of_process(hog.pid())).collect() };
    let before = times();
    clock::sleep(seconds * SECOND);
    times().iter().zip(before).map(|(now, before)| now - before).collect()
}

/// Weights share a CPU as they say.
pub(crate) fn cpu_weight(world: &mut World) {
    let (light, heavy) = (cgroup("light"), cgroup("heavy"));
    set(&light, "cpu.weight", "100");
    set(&heavy, "cpu.weight", "400");
    let scheduler = Scheduler::with(&json!({"intents": []}));
    let hogs = [pinned_hog(world, &light), pinned_hog(world, &heavy)];
    let earned = earn(&[&hogs[0], &hogs[1]], if world.long { 30 } else { 5 });
    // Four to one; a weight that is ignored gives one to one.
    assert!(earned[1] > earned[0] * 5 / 2 && earned[1] < earned[0] * 6, "{earned:?}");
    scheduler.stops();
}

/// A limit holds where the kernel lets a scheduler enforce it, and elsewhere somebody is told.
pub(crate) fn cpu_max(world: &mut World) {
    let (limited, free) = (cgroup("limited"), cgroup("free"));
    set(&limited, "cpu.max", "20000 100000");
    let scheduler = Scheduler::with(&json!({"intents": [{"cgroupPath": "/limited", "priority": 3}]}));
    let hogs = [world.helper(&limited, &["hog", "--threads", "2"]), world.helper(&free, &["hog"])];
    let status = scheduler.status();
    let earned = earn(&[&hogs[0], &hogs[1]], if world.long { 30 } else { 5 });
    if status.limits.enforced {
        let percent = earned[0] * 100 / (if world.long { 30 } else { 5 } * SECOND);
        assert!((10..=30).contains(&percent), "a limit of 20 % of a CPU gave {percent} %: {earned:?}");
    } else {
        assert!(status.limits.cgroups > 0, "limits that are not enforced are counted: {status:?}");
    }
    assert!(!attached().is_empty());
    scheduler.stops();
}
