//! What other programs read in the table: the same as the maps say, task by task.

use gthulhu_lib::strategy::table::{StrategyTable, TableWriter};
use gthulhu_lib::wire::feed::MutedTask;

use super::*;
use crate::targets::Wanted;

impl Rig {
    fn share(&mut self) -> Arc<StrategyTable> {
        self.governor.share(TableWriter::new(32_768))
    }

    /// A process that the cgroup tree knows too, with these other threads.
    fn put(&self, pid: u32, comm: &str, cgroup: &str, threads: &[u32]) {
        self.plant(pid, comm, cgroup);
        self.make_cgroup(cgroup);
        let list = self.dir.path().join("cgroup").join(cgroup.trim_start_matches('/')).join("cgroup.procs");
        let others = fs::read_to_string(&list).unwrap_or_default();
        fs::write(list, format!("{others}{pid}\n")).unwrap();
        for tid in threads {
            let thread = self.dir.path().join(format!("proc/{pid}/task/{tid}"));
            fs::create_dir_all(&thread).unwrap();
            let stat = format!("{tid} ({comm}) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 2 0 {} 0\n", start(*tid));
            fs::write(thread.join("stat"), stat).unwrap();
        }
    }
}

/// Number and priority of each task with a strategy, of those below 100.
fn held(table: &StrategyTable) -> Vec<(u32, u8)> {
    let priority = |tid| Some((tid, table.lookup_task(tid, start(tid))?.resolved().priority()));
    (0..100).filter_map(priority).collect()
}

#[test]
fn every_task_has_the_strategy_of_its_nearest_rule() {
    let mut rig = Rig::new(false);
    let table = rig.share();
    rig.put(10, "nginx", &of_pod(A), &[]);
    rig.put(11, "sh", &of_pod(A), &[]);
    rig.put(12, "sh", &format!("{}/inner", of_pod(A)), &[]);
    rig.put(20, "x", "/slice/one", &[21]);
    rig.put(22, "x", "/slice/two/deep", &[]);
    rig.put(23, "pause", "/slice/one", &[]);
    rig.put(30, "x", &of_pod(B), &[31]);
    rig.put(35, "x", &of_pod("42f5f832-b6b1-4b4d-9b2c-a4e4e2d5a1bb"), &[]);
    rig.put(40, "x", "/", &[41]);
    rig.hold(vec![
        pod(A, 3, "nginx"),
        // Inside the pod, and not by its name.
        cgroup(&format!("{}/inner", of_pod(A)), 4, ""),
        cgroup("/slice", 5, ""),
        cgroup("/slice/two", 6, "^y$"),
        pod(B, 7, ""),
        // Around a pod that has intents and one that has none.
        cgroup("/kubepods", 8, ""),
        process(40, 9),
        process(20, 2),
        (Target::Process(ProcessId { pid: 30, start: 1 }), body(1, "")),
    ]);
    let due = [(10, 3), (12, 4), (20, 2), (21, 2), (30, 7), (31, 7), (35, 8), (40, 9), (41, 9)];
    assert_eq!(held(&table), due);
    assert_eq!(table.lookup_task(10, start(10) + 1), None, "a later process of that number");
    rig.hold(vec![pod(A, 3, "nginx")]);
    assert_eq!(held(&table), [(10, 3)]);
}

#[test]
fn a_process_that_is_governed_by_its_number_has_that_whatever_cgroup_it_is_in() {
    // Its pod has no cgroup of version 2; there it is among the services.
    let mut rig = Rig::new(true);
    let table = rig.share();
    rig.put(10, "nginx", "/slice", &[]);
    rig.plant(10, "nginx", &of_pod(A));
    rig.put(11, "x", "/slice", &[]);
    rig.hold(vec![pod(A, 3, ""), cgroup("/slice", 5, "")]);
    assert_eq!(held(&table), [(10, 3), (11, 5)]);
}

#[test]
fn who_was_taken_out_by_hand_has_none() {
    let mut rig = Rig::new(false);
    let table = rig.share();
    rig.put(10, "nginx", &of_pod(A), &[15]);
    rig.put(11, "nginx", &of_pod(A), &[]);
    let muted = |start_time| [MutedTask { pod_id: A.to_owned(), pid: 10, start_time }];
    let want =
        |muted: &[MutedTask]| Wanted::of_node(vec![pod(A, 3, "").1], muted, &Limits::default()).unwrap();
    rig.governor.want(want(&muted(start(10))));
    rig.work();
    assert_eq!(held(&table), [(11, 3)]);
    rig.pass(1000);
    rig.governor.want(want(&muted(7)));
    rig.work();
    assert_eq!(held(&table), [(10, 3), (11, 3), (15, 3)], "another process of that number was meant");
}

#[test]
fn it_follows_the_processes_while_a_scheduler_is_attached_and_while_none_is() {
    let mut rig = Rig::new(false);
    let table = rig.share();
    rig.put(10, "x", &of_pod(A), &[]);
    rig.hold(vec![pod(A, 3, ""), cgroup("/slice", 5, "")]);
    assert_eq!(held(&table), [(10, 3)]);
    for (attached, pid) in [(true, 11), (false, 13)] {
        rig.put(pid, "x", &of_pod(A), &[]);
        rig.put(pid + 1, "x", "/slice/made", &[]);
        rig.pass(1100);
        assert!(rig.governor.due() <= rig.now(), "nobody tells of processes");
        if attached {
            rig.governor.work(&mut rig.maps).unwrap();
            // The new cgroup is told of.
            rig.hear(&Event::CgroupMade { cgroup: 1, path: "/slice".to_owned(), at_ns: 0 });
            rig.pass(1100);
            // The maps first, and the table when its turn comes.
            rig.work();
            rig.work();
        } else {
            rig.governor.work_for_readers().unwrap();
        }
        let both: Vec<u32> = held(&table).into_iter().map(|(tid, _)| tid).filter(|tid| *tid >= pid).collect();
        assert_eq!(both, [pid, pid + 1], "attached: {attached}");
    }
    rig.end(10);
    rig.pass(1100);
    rig.governor.work_for_readers().unwrap();
    assert_eq!(table.lookup(10), None);
}

#[test]
fn without_readers_nobody_looks_unasked() {
    let mut rig = Rig::new(false);
    rig.put(10, "x", &of_pod(A), &[]);
    rig.hold(vec![pod(A, 3, "")]);
    let generation = rig.governor.engine().counters().snapshots;
    rig.pass(4000);
    rig.work();
    rig.governor.work_for_readers().unwrap();
    assert_eq!(rig.governor.engine().counters().snapshots, generation);
}
