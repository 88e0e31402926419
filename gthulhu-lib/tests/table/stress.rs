//! Readers look up as fast as they can while the writer publishes as fast as it may, in whole sets and single entries
//! by turns: nothing is ever found that was not published between the beginning of a lookup and its end.
//!
//! `GTHULHU_LOOKUPS` sets how many lookups there are.

use std::sync::{Arc, Barrier};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use gthulhu_lib::strategy::table::{StrategyTable, TableWriter};

use crate::entry;

const READERS: u32 = 2;
const PIDS: u32 = 1_000;
/// The pid that also changes alone, in each generation of an even number.
const HOT: u32 = 77;

/// How long lookups may go on without meeting a publication, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tag that a pid has in a generation: odd ones replace everything, even ones set one entry.
fn tag(pid: u32, generation: u64) -> u64 {
    if pid == HOT || generation % 2 == 1 { generation } else { generation.saturating_sub(1) }
}

/// Looks up `count` times, and on until the generation has moved meanwhile; gives how often it had.
fn look(table: &StrategyTable, reader: u32, count: u64) -> u64 {
    let begun = Instant::now();
    let mut moved = 0;
    let mut pid = HOT;
    for number in 0.. {
        if number >= count && (moved > 0 || begun.elapsed() > PATIENCE) {
            break;
        }
        // Every other lookup is of the one that changes most.
        pid = if number % 2 == 0 { HOT } else { (pid * 31 + 7 + reader) % PIDS };
        let before = table.generation();
        let word = table.lookup_word(pid);
        let after = table.generation();
        let published = |generation: u64| match tag(pid, generation) {
            0 => word == 0,
            start => word == entry(1, start).bits(),
        };
        assert!((before..=after).any(published), "pid {pid}, generations {before} to {after}: {word:#x}");
        moved += u64::from(before != after);
    }
    moved
}

#[test]
fn nothing_unpublished_is_ever_found() {
    let lookups: u64 =
        std::env::var("GTHULHU_LOOKUPS").map_or(2_000_000, |count| count.parse().expect("a number"));
    let mut writer = TableWriter::new(PIDS);
    let table = Arc::clone(writer.table());
    let all_there = Barrier::new(READERS as usize + 1);
    let moved: Vec<u64> = thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let (table, all_there) = (&table, &all_there);
                scope.spawn(move || {
                    all_there.wait();
                    look(table, reader, lookups / u64::from(READERS))
                })
            })
            .collect();
        all_there.wait();
        let mut generation = 0;
        while !readers.iter().all(ScopedJoinHandle::is_finished) {
            generation += 1;
            if generation % 2 == 1 {
                writer.replace((0..PIDS).map(|pid| (pid, entry(1, generation))).collect());
            } else {
                writer.set(HOT, Some(entry(1, generation)));
            }
            assert_eq!(table.generation(), generation);
        }
        readers.into_iter().map(|reader| reader.join().expect("a reader found no fault")).collect()
    });
    println!("{lookups} lookups, {} generations, {moved:?} lookups met a publication", table.generation());
    assert!(moved.iter().all(|&moved| moved > 0), "a reader never met a publication: this run shows nothing");
}
