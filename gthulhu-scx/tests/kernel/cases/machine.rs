//! The machine under the scheduler: CPUs that go and come, tasks of a stronger class, a task that waits too long.

use std::fs;

use gthulhu_probe::{clock, cpu_time};
use gthulhu_scx::status::State;
use serde_json::{Value, json};

use crate::world::{Cpu, Helper, Scheduler, Setting, World, attached, cgroup, kernel_has, run, state, until};

const SECOND: u64 = 1_000_000_000;

fn chosen() -> Value {
    json!({"intents": [{"cgroupPath": "/chosen", "priority": 5}]})
}

/// CPUs go and come: the scheduler goes on, or is back at once, and knows how many there are.
pub(crate) fn hotplug(world: &mut World) {
    let cpu = Cpu::number(1);
    let mut puppet = world.puppet("chosen", &cgroup("chosen"));
    let mut scheduler = Scheduler::with(&chosen());
    scheduler.governs(&mut puppet);
    let online = |scheduler: &Scheduler| scheduler.stats().counters.metrics.nr_online_cpus;
    assert_eq!(online(&scheduler), 2);
    for _ in 0..if world.long { 20 } else { 2 } {
        cpu.goes();
        until("it is attached on one CPU", || state() == "enabled" && online(&scheduler) == 1);
        scheduler.governs(&mut puppet);
        cpu.comes();
        until("it is attached on two CPUs", || state() == "enabled" && online(&scheduler) == 2);
        scheduler.governs(&mut puppet);
    }
    assert!(scheduler.runs());
    assert_eq!(scheduler.status().failures, 0, "a CPU that goes is no failure");
    scheduler.stops();
}

/// Moves a hog to the real-time class, on the first CPU.
fn real_time(helper: &Helper) {
    // As long as it begins, the CPU is idle now and then. What the scheduler puts there at such a moment is lost to it if
    // the hog is quicker: the kernel does not say that a stronger class took an idle CPU.
    until("the hog computes", || cpu_time::of_process(helper.pid()) > SECOND / 4);
    let pid = helper.pid().to_string();
    run("taskset", &["-a", "-c", "-p", "0", &pid]).expect("a task can be pinned");
    run("chrt", &["-a", "-f", "-p", "50", &pid]).expect("root may use the real-time class");
}

/// Whether this kernel keeps time back for tasks of schedulers like ours where a task of the real-time class computes.
fn keeps_time_back() -> bool {
    kernel_has("ext_server")
}

/// A task of the real-time class takes a CPU: tasks that may run elsewhere do, with and without a strategy.
pub(crate) fn realtime_hog(world: &mut World) {
    let mut puppet = world.puppet("chosen", &cgroup("chosen"));
    let mut normal = world.puppet("normal", &cgroup("normal"));
    let mut scheduler = Scheduler::with(&chosen());
    let seconds = match (world.long, keeps_time_back()) {
        (true, true) => 60,
        // The kernel's own threads of that CPU starve, and after half a minute the kernel blames the scheduler for it.
        (true, false) => 10,
        (false, _) => 3,
    };
    let mut both_run = || {
        scheduler.sees_anew(&mut puppet);
        scheduler.sees_anew(&mut normal);
    };
    // Once before: nothing that this takes has to be read from a disk any more, which one of those threads may have to do.
    both_run();
    let hog = world.helper(&cgroup("other"), &["hog"]);
    real_time(&hog);
    let end = clock::now() + seconds * SECOND;
    while clock::now() < end {
        both_run();
    }
    assert!(scheduler.runs() && !attached().is_empty());
    drop(hog);
    assert_eq!(scheduler.status().failures, 0);
    scheduler.stops();
}

/// No time is kept back from tasks of the real-time class, so that they can starve others; until the value's end.
struct Everything;

impl Everything {
    const RESERVE: &str = "/proc/sys/kernel/sched_rt_runtime_us";

    fn for_real_time() -> Everything {
        fs::write(Self::RESERVE, "-1").expect("root may set it");
        Everything
    }
}

impl Drop for Everything {
    fn drop(&mut self) {
        let _ = fs::write(Self::RESERVE, "950000");
    }
}

/// A task is kept from its only CPU for longer than the kernel allows: the kernel takes the scheduler away, the process
/// says why, and tries again.
pub(crate) fn stall(world: &mut World) {
    if keeps_time_back() {
        println!("SKIPPED stall: this kernel keeps tasks of the real-time class from starving others");
        return;
    }
    let _everything = Everything::for_real_time();
    let setting =
        Setting { settings: vec![("SCX_SCHEDULER_TIMEOUT", "2s".to_owned())], ..Setting::default() };
    let mut scheduler = Scheduler::start(setting, &chosen());
    scheduler.await_attached();
    let victim = world.helper(&cgroup("other"), &["hog"]);
    run("taskset", &["-a", "-c", "-p", "0", &victim.pid().to_string()]).expect("a task can be pinned");
    let hog = world.helper(&cgroup("other"), &["hog"]);
    real_time(&hog);
    until("the kernel takes the scheduler away", || state() == "disabled");
    // At once: the next attempt may begin before anything can be asked.
    drop((hog, victim));
    until("it tries again", || state() == "enabled");
    let status = scheduler.status();
    assert_eq!((status.state, status.failures, status.attachments), (State::Attached, 1, 2), "{status:?}");
    assert!(status.last_exit.as_ref().is_some_and(|exit| exit.contains("stall")), "{status:?}");
    scheduler.stops();
}
