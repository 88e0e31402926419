//! What is done at once, what is gathered, and what happens after a failure.

use super::*;

/// Maps whose cgroups cannot be written.
struct Broken<'a>(&'a mut FakeMaps);

impl KernelMaps for Broken<'_> {
    fn put_cgroup(&mut self, _: u64, _: CgroupRule) -> Result<(), MapsError> {
        let source = std::io::ErrorKind::PermissionDenied.into();
        Err(MapsError::Kernel { map: "cg_rules", operation: "write", source })
    }
    fn remove_cgroup(&mut self, cgroup: u64) -> Result<(), MapsError> {
        self.0.remove_cgroup(cgroup)
    }
    fn put_verdict(&mut self, rule: u32, comm: &Comm, verdict: Verdict) -> Result<(), MapsError> {
        self.0.put_verdict(rule, comm, verdict)
    }
    fn put_pids(&mut self, rows: &[PidRule]) -> Result<(), MapsError> {
        self.0.put_pids(rows)
    }
    fn remove_pids(&mut self, tgids: &[u32]) -> Result<(), MapsError> {
        self.0.remove_pids(tgids)
    }
    fn publish(&mut self) -> Result<u64, MapsError> {
        self.0.publish()
    }
    fn counters(&self) -> Result<crate::maps::Counters, MapsError> {
        self.0.counters()
    }
    fn cgroup_counters(&self, cgroup: u64) -> Result<Option<crate::maps::CgroupCounters>, MapsError> {
        self.0.cgroup_counters(cgroup)
    }
    fn task(&self, tid: u32) -> Result<Option<crate::maps::TaskView>, MapsError> {
        self.0.task(tid)
    }
}

#[test]
fn one_change_is_published_at_once_and_a_storm_ten_times_a_second() {
    let mut rig = Rig::new(false);
    rig.make_cgroup("/c");
    rig.hold(vec![cgroup("/c", 1, "")]);
    assert_eq!(rig.generation(), 1, "at once");
    // A thousand changes in a second, one a millisecond.
    for millisecond in 0..1000 {
        rig.pass(1);
        rig.want(vec![cgroup("/c", 1 + millisecond % 2, "")]);
        rig.work();
    }
    let published = rig.generation() - 1;
    assert!((5..=10).contains(&published), "{published} publications in a second");
    // The last word is published in the end.
    rig.want(vec![cgroup("/c", 7, "")]);
    let due = rig.governor.due();
    assert!(due <= rig.now() + Duration::from_millis(100));
    rig.pass(100);
    rig.work();
    assert_eq!(rig.maps.published.cgroups.values().copied().collect::<Vec<_>>(), [fixed(7)]);
}

#[test]
fn nothing_is_published_when_nothing_differs() {
    let mut rig = Rig::new(false);
    rig.make_cgroup("/c");
    for _ in 0..3 {
        rig.hold(vec![cgroup("/c", 3, "")]);
        assert_eq!(rig.generation(), 1);
    }
    rig.pass(120_000);
    for _ in 0..3 {
        rig.work(); // the sweep, the cgroups, the processes
    }
    assert_eq!(rig.generation(), 1, "nor by the look that is taken without a reason");
    assert!(rig.governor.due() > rig.now());
}

#[test]
fn an_empty_set_is_published_too() {
    let mut rig = Rig::new(false);
    rig.work();
    assert_eq!((rig.generation(), rig.governor.facts().generation), (1, 1));
}

#[test]
fn a_failed_round_is_tried_again_after_a_second() {
    let mut rig = Rig::new(false);
    let id = rig.make_cgroup("/c");
    rig.want(vec![cgroup("/c", 3, ""), process(10, 2)]);
    let error = rig.governor.work(&mut Broken(&mut rig.maps)).unwrap_err();
    assert_eq!(error.to_string(), "cannot write map cg_rules: permission denied");
    assert!(rig.governor.facts().pending > 0);
    let due = rig.governor.due();
    assert_eq!(due, rig.now() + RETRY);
    rig.pass(999);
    rig.work();
    assert_eq!(rig.generation(), 0);
    rig.pass(1);
    rig.work();
    assert_eq!(rig.maps.published.cgroups.get(&id), Some(&fixed(3)));
    assert_eq!(rig.governor.facts().pending, 0);
}

#[test]
fn without_a_proc_file_system_nothing_is_taken_away() {
    let mut rig = Rig::new(false);
    let id = rig.make_cgroup("/c");
    rig.hold(vec![cgroup("/c", 3, "")]);
    let (proc_root, aside) = (rig.dir.path().join("proc"), rig.dir.path().join("aside"));
    fs::rename(&proc_root, &aside).unwrap();
    rig.pass(1000);
    rig.want(vec![]);
    assert!(matches!(rig.governor.work(&mut rig.maps), Err(GovernError::Source(_))));
    assert_eq!(rig.maps.published.cgroups.get(&id), Some(&fixed(3)));
    fs::rename(&aside, &proc_root).unwrap();
    rig.pass(1000);
    rig.work();
    assert!(rig.maps.published.cgroups.is_empty());
}

#[test]
fn lost_events_are_made_up_for() {
    let mut rig = Rig::new(false);
    rig.hold(vec![cgroup("/c", 3, "")]);
    let id = rig.make_cgroup("/c");
    rig.maps.counters.events_lost = 1;
    rig.pass(5000);
    rig.work();
    rig.pass(100);
    rig.work();
    assert_eq!(rig.maps.published.cgroups.get(&id), Some(&fixed(3)));
}
