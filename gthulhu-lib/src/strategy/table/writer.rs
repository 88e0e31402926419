//! The one writer of a table: brings a bank up to date, publishes it, and knows what each bank holds.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::layout::{BANKS, Layout, PRESENCE_SHIFT};
use super::memory::Memory;
use super::protocol::{self, Machine};
use super::{Entry, SPACING, StrategyTable};

type Entries = Vec<(u32, Entry)>;

/// Single changes that a bank is brought up to date by; more, and it is gone through as a whole.
const TOUCHED: usize = 64;

/// The only way to change a [`StrategyTable`].
#[derive(Debug)]
pub struct TableWriter {
    table: Arc<StrategyTable>,
    /// What is published, by pid.
    current: Arc<Entries>,
    banks: [Bank; BANKS],
    /// When the latest generation was published.
    published: Option<Instant>,
}

/// What one bank is known to hold.
#[derive(Debug, Default)]
struct Bank {
    /// An earlier `current`, which the bank holds in all pids but those touched since.
    base: Arc<Entries>,
    /// Pids in which the bank, or what is published, may differ from the base.
    touched: Vec<u32>,
    /// What is published may differ from the base in other pids as well.
    behind: bool,
}

impl TableWriter {
    /// Makes an empty table for pids below `pid_max` (held to what the kernel allows, rounded up to a multiple of 512).
    pub fn new(pid_max: u32) -> Self {
        let table = Arc::new(StrategyTable { memory: Memory::new(Layout::new(pid_max)) });
        Self { table, current: Arc::default(), banks: Default::default(), published: None }
    }

    /// The table, for readers.
    pub fn table(&self) -> &Arc<StrategyTable> {
        &self.table
    }

    /// What is published now, in ascending order of pid.
    pub fn current(&self) -> &[(u32, Entry)] {
        &self.current
    }

    /// Replaces everything by `entries`, in one generation. Of several entries for one pid the last counts;
    /// pids outside the table are left out. Without a difference nothing is published.
    pub fn replace(&mut self, mut entries: Vec<(u32, Entry)>) {
        let pid_max = self.table.pid_max();
        let in_order = entries.is_sorted_by(|a, b| a.0 < b.0);
        if !in_order || entries.last().is_some_and(|&(pid, _)| pid >= pid_max) {
            entries.retain(|&(pid, _)| pid < pid_max);
            entries.sort_by_key(|&(pid, _)| pid); // stable: the last of equals stays the last
            entries.reverse();
            entries.dedup_by_key(|&mut (pid, _)| pid);
            entries.reverse();
        }
        if entries != *self.current {
            self.current = Arc::new(entries);
            self.publish(None);
        }
    }

    /// Sets or clears the entry of one pid, in a generation of its own.
    pub fn set(&mut self, pid: u32, entry: Option<Entry>) {
        let found = self.current.binary_search_by_key(&pid, |&(other, _)| other);
        match (found, entry) {
            (Ok(at), Some(entry)) if self.current[at].1 == entry => return,
            (Ok(at), Some(entry)) => Arc::make_mut(&mut self.current)[at].1 = entry,
            (Ok(at), None) => drop(Arc::make_mut(&mut self.current).remove(at)),
            (Err(at), Some(entry)) if pid < self.table.pid_max() => {
                Arc::make_mut(&mut self.current).insert(at, (pid, entry));
            }
            (Err(_), _) => return,
        }
        self.publish(Some(pid));
    }

    /// Publishes `current`, in which this pid has changed, or anything.
    fn publish(&mut self, pid: Option<u32>) {
        let Self { table, current, banks, published } = self;
        let memory = &table.memory;
        for bank in banks.iter_mut() {
            bank.touched.extend(pid);
            bank.behind |= pid.is_none();
        }
        while published.is_some_and(|published| published.elapsed() < SPACING) {
            std::hint::spin_loop();
        }
        protocol::publish::<Machine, BANKS>(memory.generation(), |number| {
            let bank = &mut banks[number];
            let write = |pid, word| write(memory, number, pid, word);
            let whole = bank.behind || bank.touched.len() > TOUCHED;
            if whole {
                rewrite(&bank.base, current, write);
            }
            for &pid in &bank.touched {
                let found = current.binary_search_by_key(&pid, |&(other, _)| other);
                write(pid, found.map_or(0, |at| current[at].1.bits()));
            }
            if whole {
                *bank = Bank { base: Arc::clone(current), ..Bank::default() };
            }
        });
        *published = Some(Instant::now());
    }
}

/// Turns what holds `old` into what holds `new`, both by pid.
fn rewrite(old: &Entries, new: &Entries, write: impl Fn(u32, u64)) {
    let mut old = old.iter().peekable();
    for &(pid, entry) in new {
        while let Some(&(gone, _)) = old.next_if(|&&(other, _)| other < pid) {
            write(gone, 0);
        }
        let before = old.next_if(|&&(other, _)| other == pid);
        if before.is_none_or(|&(_, other)| other != entry) {
            write(pid, entry.bits());
        }
    }
    old.for_each(|&(gone, _)| write(gone, 0));
}

fn write(memory: &Memory, bank: usize, pid: u32, word: u64) {
    let at = bank * memory.layout().bank_words() + pid as usize;
    if let (Some(presence), Some(place)) =
        (memory.presence((pid >> PRESENCE_SHIFT) as usize), memory.word(at))
    {
        // A place that is cleared has had an entry before.
        if word != 0 {
            presence.store(1, Ordering::Relaxed);
        }
        place.store(word, Ordering::Relaxed);
    }
}
