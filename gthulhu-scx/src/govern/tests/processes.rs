//! Rules of single processes: named ones, muted ones, and those of pods that have no cgroup of version 2.

use gthulhu_lib::wire::feed::MutedTask;

use super::*;
use crate::targets::Wanted;

impl Rig {
    fn pids(&self) -> Vec<PidRule> {
        self.maps.published.pids.values().copied().collect()
    }

    /// Lets a sweep be due.
    fn sweep(&mut self) {
        self.pass(6000);
        self.work();
    }
}

#[test]
fn a_named_process_is_governed_by_number_and_start() {
    let mut rig = Rig::new(false);
    rig.plant(10, "x", "/");
    rig.hold(vec![process(10, 3), process(10, 7)]);
    assert_eq!(rig.pids(), [pid_rule(10, 3)]);
    rig.hold(vec![process(10, 4)]);
    assert_eq!(rig.pids(), [pid_rule(10, 4)]);
    rig.hold(vec![]);
    assert_eq!(rig.pids(), []);
}

#[test]
fn processes_that_are_not_there_are_counted_and_taken_out() {
    let mut rig = Rig::new(false);
    rig.plant(10, "x", "/");
    let later = (Target::Process(ProcessId { pid: 10, start: 1 }), body(2, ""));
    rig.hold(vec![process(10, 3), process(11, 3)]);
    assert_eq!(rig.pids().len(), 2, "they are written without a look");
    rig.sweep();
    assert_eq!(rig.maps.now.pids.keys().copied().collect::<Vec<_>>(), [10]);
    assert_eq!((rig.governor.facts().pids, rig.governor.facts().pids_gone), (1, 1));
    // Another set does not remember.
    rig.hold(vec![later]);
    assert_eq!(rig.governor.facts().pids_gone, 0);
    rig.sweep();
    assert_eq!(rig.governor.facts().pids_gone, 1, "the number is another process's");
}

#[test]
fn a_process_that_ends_is_not_written_again() {
    let mut rig = Rig::new(false);
    rig.plant(10, "x", "/");
    rig.hold(vec![process(10, 3), process(11, 3)]);
    rig.maps.now.pids.remove(&10);
    rig.hear(&Event::ProcessGone { tgid: 10, cgroup: 1, at_ns: 0 });
    rig.governor.start_anew();
    rig.maps = FakeMaps::default();
    rig.work();
    assert_eq!(rig.pids(), [pid_rule(11, 3)]);
    assert_eq!(rig.governor.facts().pids_gone, 1);
}

#[test]
fn a_pod_without_a_cgroup_is_governed_process_by_process() {
    let mut rig = Rig::new(true);
    rig.plant(10, "nginx", &of_pod(A));
    rig.plant(11, "sh", &of_pod(A));
    rig.plant(12, "nginx", &of_pod(B));
    rig.hold(vec![pod(A, 3, "nginx"), pod(B, 9, ""), process(12, 1)]);
    assert_eq!(rig.pids(), [pid_rule(10, 3), pid_rule(12, 1)], "the named process has its own strategy");
    assert_eq!((rig.governor.facts().pods, rig.governor.facts().pods_by_process), (2, 2));
    // Its next process is found by looking, since no event tells of it.
    rig.plant(13, "nginx", &of_pod(A));
    rig.pass(1100);
    rig.work();
    rig.pass(200);
    rig.work();
    assert_eq!(rig.pids(), [pid_rule(10, 3), pid_rule(12, 1), pid_rule(13, 3)]);
    rig.end(10);
    rig.pass(1100);
    rig.work();
    rig.pass(200);
    rig.work();
    assert_eq!(rig.pids(), [pid_rule(12, 1), pid_rule(13, 3)]);
}

#[test]
fn a_process_that_was_taken_out_by_hand_is_kept_out() {
    let mut rig = Rig::new(false);
    let a = rig.make_cgroup(&of_pod(A));
    rig.plant(10, "nginx", &of_pod(A));
    let bodies = vec![pod(A, 3, "").1];
    let muted = [MutedTask { pod_id: A.to_owned(), pid: 10, start_time: start(10) }];
    rig.governor.want(Wanted::of_node(bodies, &muted, &Limits::default()).unwrap());
    rig.work();
    assert_eq!(rig.maps.published.cgroups.get(&a), Some(&fixed(3)));
    assert_eq!(rig.pids(), [pid_rule(10, 0)], "stronger than the cgroup's, and without any preference");
}

#[test]
fn what_has_no_room_is_counted_and_what_was_there_stays() {
    let mut rig = Rig::new(false);
    rig.maps.pid_limit = Some(5);
    let entries =
        |pids: std::ops::Range<u32>, priority| pids.map(|pid| process(pid, priority)).collect::<Vec<_>>();
    for pid in 10..40 {
        rig.plant(pid, "x", "/");
    }
    rig.hold(entries(20..24, 3));
    rig.hold([entries(10..30, 3), vec![process(22, 4)]].concat());
    let held: Vec<u32> = rig.maps.published.pids.keys().copied().collect();
    assert_eq!(held, [10, 20, 21, 22, 23], "the oldest, and the first that found room");
    assert_eq!((rig.governor.facts().pids, rig.governor.facts().refused), (5, 15));
    // Room that is made is used.
    rig.hear(&Event::ProcessGone { tgid: 21, cgroup: 1, at_ns: 0 });
    rig.maps.now.pids.remove(&21);
    rig.maps.pid_limit = None;
    rig.pass(6000);
    rig.work();
    rig.pass(60_000);
    rig.work();
    rig.pass(200);
    rig.work();
    assert_eq!((rig.maps.published.pids.len(), rig.governor.facts().refused), (19, 0));
}
