//! Goals `lookup...` and `publish`: the table of strategies against what else answers "which strategy for this pid?".
//!
//! 100,000 entries, of which a writer replaces all every 10 ms. Two readers look up the stream that a scheduler sees: 2,000
//! runnable tasks, a fifth of them with a strategy. One reader is measured, the other only disturbs.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hint::black_box;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use gthulhu_lib::strategy::table::{StrategyTable, TableWriter};
use gthulhu_lib::strategy::{Entry, Resolved};
use rustc_hash::FxHashMap;

use crate::Outcome;
use crate::fixtures::Numbers;
use crate::harness::{Goal, Report, cpu_of, in_turns};

const ENTRIES: u32 = 100_000;
/// Every other pid below it has an entry.
pub(crate) const PIDS: u32 = 2 * ENTRIES;
const RUNNABLE: usize = 2_000;
const EVERY: Duration = Duration::from_millis(10);
pub(crate) const TURNS: usize = 15;
/// Times that the stream is looked up in a turn.
pub(crate) const PASSES: usize = 500;

/// The entries of one generation: the same pids, other strategies.
pub(crate) fn entries(generation: u32) -> Vec<(u32, Entry)> {
    let entry = |number: u32| {
        let resolved = Resolved::clamped(i64::from((number + generation) % 21), 20_000_000);
        (number * 2 + 1, Entry::pack(resolved, u64::from(number)))
    };
    (0..ENTRIES).map(entry).collect()
}

/// The pids that a scheduler asks for, in the order in which it does.
pub(crate) fn stream() -> Vec<u32> {
    let mut numbers = Numbers::new(5);
    let pid = |number: usize| {
        let pid = numbers.below(ENTRIES) * 2;
        if number.is_multiple_of(5) { pid + 1 } else { pid }
    };
    (0..RUNNABLE).map(pid).collect()
}

/// What the entries are kept in.
trait Kept: Sync {
    /// The sum of the words of all pids of the stream.
    fn sum(&self, stream: &[u32]) -> u64;
    /// Replaces everything.
    fn replace(&self, entries: &[(u32, Entry)]);
}

struct Raw(Vec<u64>);

impl Kept for Raw {
    #[inline(never)]
    fn sum(&self, stream: &[u32]) -> u64 {
        stream.iter().fold(0, |sum, &pid| sum.wrapping_add(self.0[pid as usize]))
    }

    /// What nobody else may do meanwhile is not done: this is the floor.
    fn replace(&self, _: &[(u32, Entry)]) {}
}

struct Ours {
    table: Arc<StrategyTable>,
    writer: Mutex<TableWriter>,
}

impl Kept for Ours {
    #[inline(never)]
    fn sum(&self, stream: &[u32]) -> u64 {
        let reader = self.table.reader();
        stream.iter().fold(0, |sum, &pid| sum.wrapping_add(reader.lookup_word(pid)))
    }

    fn replace(&self, entries: &[(u32, Entry)]) {
        if let Ok(mut writer) = self.writer.lock() {
            writer.replace(entries.to_vec());
        }
    }
}

struct Standard(RwLock<HashMap<u32, u64>>);

impl Kept for Standard {
    #[inline(never)]
    fn sum(&self, stream: &[u32]) -> u64 {
        stream.iter().fold(0, |sum, pid| {
            let found = self.0.read().ok().and_then(|map| map.get(pid).copied());
            sum.wrapping_add(found.unwrap_or_default())
        })
    }

    fn replace(&self, entries: &[(u32, Entry)]) {
        let new = entries.iter().map(|&(pid, entry)| (pid, entry.bits())).collect();
        if let Ok(mut map) = self.0.write() {
            *map = new;
        }
    }
}

struct ParkingLot(parking_lot::RwLock<FxHashMap<u32, u64>>);

impl Kept for ParkingLot {
    #[inline(never)]
    fn sum(&self, stream: &[u32]) -> u64 {
        let found = |pid| self.0.read().get(pid).copied();
        stream.iter().fold(0, |sum, pid| sum.wrapping_add(found(pid).unwrap_or_default()))
    }

    fn replace(&self, entries: &[(u32, Entry)]) {
        let new = entries.iter().map(|&(pid, entry)| (pid, entry.bits())).collect();
        *self.0.write() = new;
    }
}

/// Measures and reports.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let mut writer = TableWriter::new(PIDS);
    let first = entries(0);
    writer.replace(first.clone());
    let ours = Ours { table: Arc::clone(writer.table()), writer: writer.into() };
    let mut raw = vec![0; PIDS as usize];
    for &(pid, entry) in &first {
        raw[pid as usize] = entry.bits();
    }
    let raw = Raw(raw);
    let (standard, parking_lot) = (Standard(RwLock::default()), ParkingLot(parking_lot::RwLock::default()));
    standard.replace(&first);
    parking_lot.replace(&first);
    let rivals: [&dyn Kept; 4] = [&raw, &ours, &standard, &parking_lot];
    let stream = stream();
    let sums = rivals.map(|kept| kept.sum(&stream));
    if sums != [sums[0]; 4] {
        return Err(format!("they do not hold the same: {sums:?}").into());
    }
    chain(report, &raw.0, &ours.table, &stream)?;
    under_a_writer(report, rivals, &stream)?;
    publish(report)
}

/// Each lookup waits for the one before: what counts is how long one takes, not how many run beside each other.
fn chain(report: &mut Report<impl Write>, raw: &[u64], table: &StrategyTable, stream: &[u32]) -> Outcome<()> {
    // Nobody but us knows that it is nothing.
    let nothing = black_box(0);
    let reader = table.reader();
    let ours = || Ok(cpu_of(|| walk(stream, nothing, |pid| reader.lookup_word(pid))));
    let floor = || Ok(cpu_of(|| walk(stream, nothing, |pid| raw[pid as usize])));
    let turns = in_turns::<Infallible>(TURNS, floor, ours)?;
    report.ratio("lookup-chain", turns.b_over_a(), Goal::AtMost(1.1))?;
    note(report, "one after the other: raw array, table", &turns.each([1; 2]))
}

#[inline(never)]
fn walk(stream: &[u32], nothing: u64, word: impl Fn(u32) -> u64) -> u64 {
    let mut last = 0;
    for _ in 0..PASSES {
        for &pid in stream {
            // The next pid is not known before the last word is.
            last = word(pid.wrapping_add(u32::try_from(last & nothing).unwrap_or_default()));
        }
    }
    last
}

/// The same stream for everybody, while their writer replaces everything and another reader reads.
fn under_a_writer(report: &mut Report<impl Write>, rivals: [&dyn Kept; 4], stream: &[u32]) -> Outcome<()> {
    let at_work = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                black_box(rivals[at_work.load(Ordering::Relaxed)].sum(stream));
            }
        });
        scope.spawn(|| {
            let generations = [entries(1), entries(2)];
            let mut next = Instant::now();
            for generation in generations.iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                rivals[at_work.load(Ordering::Relaxed)].replace(generation);
                next += EVERY;
                thread::park_timeout(next.saturating_duration_since(Instant::now()));
            }
        });
        let measured = |number: usize| {
            at_work.store(number, Ordering::Relaxed);
            Ok::<_, Infallible>(cpu_of(|| {
                (0..PASSES).fold(0_u64, |sum, _| sum.wrapping_add(rivals[number].sum(stream)))
            }))
        };
        let measured_all = (|| {
            let floor = in_turns(TURNS, || measured(0), || measured(1))?;
            report.ratio("lookup", floor.b_over_a(), Goal::AtMost(2.0))?;
            let mut each = floor.each([1; 2]).to_vec();
            for (name, number, goal) in [("lookup-rwlock", 2, 15.0), ("lookup-parking-lot", 3, 10.0)] {
                let turns = in_turns(TURNS, || measured(1), || measured(number))?;
                report.ratio(name, turns.b_over_a(), Goal::AtLeast(goal))?;
                each.push(turns.each([1; 2])[1]);
            }
            note(report, "under a writer: raw array, table, RwLock<HashMap>, parking_lot with fx", &each)
        })();
        done.store(true, Ordering::Relaxed);
        measured_all
    })
}

/// A set of 100,000 against copying as many words.
fn publish(report: &mut Report<impl Write>) -> Outcome<()> {
    let mut writer = TableWriter::new(PIDS);
    let words: Vec<u64> = entries(0).iter().map(|(_, entry)| entry.bits()).collect();
    let mut copy = vec![0; words.len()];
    let mut generation = 0;
    let turns = in_turns::<Infallible>(
        2 * TURNS,
        || Ok(cpu_of(|| black_box(&mut copy).copy_from_slice(black_box(&words)))),
        || {
            generation += 1;
            let new = entries(generation);
            Ok(cpu_of(|| writer.replace(new)))
        },
    )?;
    report.ratio("publish", turns.b_over_a(), Goal::AtMost(4.0))?;
    let [memcpy, publish] = turns.each([1, 1]);
    report.note(format_args!("{ENTRIES} entries: published in {publish:.1?}, memcpy {memcpy:.1?}"))?;
    Ok(())
}

/// Nanoseconds of each lookup, from the time of each turn.
pub(crate) fn note(report: &mut Report<impl Write>, what: &str, each: &[Duration]) -> Outcome<()> {
    #[expect(clippy::cast_precision_loss, reason = "a million")]
    let lookups = (PASSES * RUNNABLE) as f64;
    let nanoseconds: Vec<_> =
        each.iter().map(|turn| format!("{:.2}", turn.as_secs_f64() * 1e9 / lookups)).collect();
    report.note(format_args!("{what}: {} ns", nanoseconds.join(", ")))?;
    Ok(())
}
