//! The table against a plain map, and readers against a busy writer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::strategy::Resolved;

fn entry(priority: i64, start: u64) -> Entry {
    Entry::pack(Resolved::clamped(priority, 20_000_000), start)
}

#[test]
fn a_lookup_gives_what_was_published_and_a_task_lookup_only_its_own() {
    let mut writer = TableWriter::new(32_768);
    let table = Arc::clone(writer.table());
    assert_eq!(table.lookup(7), None);
    writer.replace(vec![(7, entry(3, 100)), (9, entry(4, 200))]);
    assert_eq!(table.lookup(7), Some(entry(3, 100)));
    assert_eq!(table.lookup_task(7, 100), Some(entry(3, 100)));
    assert_eq!(table.lookup_task(7, 101), None, "a later process with the same number");
    writer.set(7, None);
    assert_eq!((table.lookup(7), table.lookup(9)), (None, Some(entry(4, 200))));
}

#[test]
fn pids_outside_the_table_have_no_entry_and_do_no_harm() {
    for (asked, pid_max) in [(0, 512), (512, 512), (513, 1024), (u32::MAX, PID_MAX_LIMIT)] {
        let mut writer = TableWriter::new(asked);
        let table = Arc::clone(writer.table());
        assert_eq!(table.pid_max(), pid_max);
        writer.replace(vec![(pid_max - 1, entry(1, 1)), (pid_max, entry(1, 1)), (u32::MAX, entry(1, 1))]);
        writer.set(pid_max, Some(entry(2, 2)));
        assert_eq!(writer.current(), [(pid_max - 1, entry(1, 1))]);
        assert_eq!(table.lookup(pid_max - 1), Some(entry(1, 1)));
        assert_eq!((table.lookup(pid_max), table.lookup(u32::MAX)), (None, None));
    }
}

#[test]
fn the_generation_moves_only_when_an_entry_does() {
    let mut writer = TableWriter::new(1000);
    let table = Arc::clone(writer.table());
    writer.replace(Vec::new());
    writer.set(5, None);
    assert_eq!(table.generation(), 0);
    writer.replace(vec![(5, entry(1, 1)), (6, entry(1, 1)), (5, entry(2, 1))]);
    assert_eq!((table.generation(), table.lookup(5)), (1, Some(entry(2, 1))));
    writer.replace(vec![(6, entry(1, 1)), (5, entry(2, 1))]);
    writer.set(6, Some(entry(1, 1)));
    assert_eq!(table.generation(), 1);
    writer.set(6, Some(entry(1, 2)));
    assert_eq!(table.generation(), 2);
}

#[test]
fn a_batch_fills_the_shorter_of_both_slices() {
    let mut writer = TableWriter::new(1000);
    writer.replace(vec![(1, entry(1, 1)), (2, entry(2, 2))]);
    let table = writer.table();
    let mut words = [9; 3];
    assert_eq!(table.lookup_batch(&[1, 2], &mut words), Some(1));
    assert_eq!(words, [entry(1, 1).bits(), entry(2, 2).bits(), 9]);
    assert_eq!(table.lookup_batch(&[2, 1, 1], &mut words[..1]), Some(1));
    assert_eq!(words, [entry(2, 2).bits(), entry(2, 2).bits(), 9]);
}

#[test]
fn a_batch_never_mixes_generations() {
    // Every generation gives all pids one start tag, across pages, so a mixture shows as two tags. Besides, some
    // generations take entries away: all or none may be there.
    const PIDS: [u32; 6] = [1, 2, 511, 512, 5000, 30_000];
    const GENERATIONS: u64 = 5_000;
    let mut writer = TableWriter::new(32_768);
    let table = Arc::clone(writer.table());
    let (done, published, seen) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let mut words = [0; PIDS.len()];
                let begun = published.load(Ordering::Acquire);
                let generation = table.lookup_batch(&PIDS, &mut words).expect("the writer leaves room");
                assert!(words.iter().all(|&word| word == words[0]), "mixed generations: {words:x?}");
                let expected = if generation.is_multiple_of(5) { 0 } else { entry(1, generation).bits() };
                assert_eq!(words[0], expected, "another generation than {generation}");
                assert!(generation >= last, "went back in time");
                assert!(generation >= begun, "older than what was published when it began");
                seen.fetch_add(u64::from(generation != last), Ordering::Relaxed);
                last = generation;
            }
        });
        // On until the reader has met some: what was published, it has to see.
        let enough = || seen.load(Ordering::Relaxed) > 1 || reader.is_finished();
        for generation in (1..).take_while(|&generation| generation <= GENERATIONS || !enough()) {
            let entries = if generation.is_multiple_of(5) { &[][..] } else { &PIDS };
            writer.replace(entries.iter().map(|&pid| (pid, entry(1, generation))).collect());
            published.store(generation, Ordering::Release);
            if generation.is_multiple_of(64) {
                thread::yield_now(); // on one processor the reader gets its turn
            }
        }
        done.store(true, Ordering::Relaxed);
        reader.join().expect("the reader found no fault");
    });
    assert!(table.generation() >= GENERATIONS);
}

#[derive(Clone, Debug)]
enum Step {
    Replace(Vec<(u32, u64)>),
    Set(u32, Option<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    let pid = prop_oneof![0_u32..8, 510_u32..514];
    prop_oneof![
        proptest::collection::vec((pid.clone(), 0_u64..4), 0..8).prop_map(Step::Replace),
        (pid, proptest::option::of(0_u64..4)).prop_map(|(pid, start)| Step::Set(pid, start)),
        (0_u32..1024, 0_u64..4).prop_map(|(pid, start)| Step::Set(pid, Some(start))),
    ]
}

proptest! {
    /// Whole sets and single changes in any order leave what a plain map would hold: no bank keeps anything from a
    /// generation before.
    #[test]
    fn the_table_is_a_map(steps in proptest::collection::vec(step(), 1..200)) {
        let mut writer = TableWriter::new(1024);
        let mut map = BTreeMap::new();
        for step in steps {
            match step {
                Step::Replace(entries) => {
                    map = entries.iter().copied().collect();
                    writer.replace(entries.into_iter().map(|(pid, start)| (pid, entry(1, start))).collect());
                }
                Step::Set(pid, start) => {
                    match start {
                        Some(start) => map.insert(pid, start),
                        None => map.remove(&pid),
                    };
                    writer.set(pid, start.map(|start| entry(1, start)));
                }
            }
            let held: Vec<_> = map.iter().map(|(&pid, &start)| (pid, entry(1, start))).collect();
            prop_assert_eq!(writer.current(), &held[..]);
            for pid in (0..8).chain(510..514) {
                prop_assert_eq!(writer.table().lookup(pid), map.get(&pid).map(|&start| entry(1, start)));
            }
        }
        for pid in 0..1024 {
            prop_assert_eq!(writer.table().lookup(pid), map.get(&pid).map(|&start| entry(1, start)));
        }
    }
}
