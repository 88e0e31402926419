//! The table that schedulers read: one word per pid, published as whole generations, read without locks.
//!
//! There are two banks of words and one generation number, whose lowest bit names the bank that readers use.
//! The writer brings the idle bank up to date and then raises the number, so a whole set of changes becomes
//! visible at once. A reader notes the number, reads its words and looks at the number again: if it moved, the
//! bank may have been written to meanwhile and the reader starts over. Banks are never freed or moved, and
//! every word is atomic, so a reader may be late but never reads freed or half-written memory.
//!
//! Why an unmoved number proves the words: the writer touches the bank of generation `g` again only after it
//! published `g + 1`. Its release fence stands between that and its first write; the reader's acquire fence
//! stands between its last read and its second look. A reader that saw such a write therefore sees `g + 1`.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};

use super::Entry;
use super::diff::Diff;

/// The greatest pid range that the kernel can be set to (pids are below it).
pub const PID_MAX_LIMIT: u32 = 1 << 22;

/// Words per page: banks grow in pieces of 4 KiB, only where pids have had entries.
const PAGE: usize = 512;

type Page = [AtomicU64; PAGE];
type Bank = Box<[OnceLock<Box<Page>>]>;

/// Strategies by pid (or thread id), for any number of readers. Written through the one [`TableWriter`].
#[derive(Debug)]
pub struct StrategyTable {
    generation: AtomicU64,
    banks: [Bank; 2],
}

impl StrategyTable {
    /// The entry of `pid` as published, whichever task it was made for.
    pub fn lookup(&self, pid: u32) -> Option<Entry> {
        let mut word = [0];
        self.lookup_batch(&[pid], &mut word);
        Entry::from_bits(word[0])
    }

    /// The entry of the task with this number that started at `start` clock ticks after boot.
    pub fn lookup_task(&self, pid: u32, start: u64) -> Option<Entry> {
        self.lookup(pid).filter(|entry| entry.is_of(start))
    }

    /// Writes the words of `pids` to `words`, all from one generation, which it returns. A word of 0 is no
    /// entry (see [`Entry::from_bits`]). Of slices that differ in length the longer one's rest is left alone.
    pub fn lookup_batch(&self, pids: &[u32], words: &mut [u64]) -> u64 {
        loop {
            let generation = self.generation.load(Ordering::Acquire);
            let bank = &self.banks[usize::from(generation & 1 == 1)];
            for (word, &pid) in words.iter_mut().zip(pids) {
                *word = read(bank, pid);
            }
            fence(Ordering::Acquire);
            if self.generation.load(Ordering::Relaxed) == generation {
                return generation;
            }
            std::hint::spin_loop();
        }
    }

    /// The number of the generation that readers see now. It moves only when an entry changes.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Pids from here on never have an entry.
    pub fn pid_max(&self) -> u32 {
        u32::try_from(self.banks[0].len() * PAGE).unwrap_or(PID_MAX_LIMIT)
    }
}

fn read(bank: &Bank, pid: u32) -> u64 {
    let (page, slot) = position(pid);
    bank.get(page).and_then(OnceLock::get).map_or(0, |page| page[slot].load(Ordering::Relaxed))
}

fn write(bank: &Bank, pid: u32, word: u64) {
    let (page, slot) = position(pid);
    let Some(page) = bank.get(page) else { return };
    if word != 0 || page.get().is_some() {
        page.get_or_init(|| Box::new([const { AtomicU64::new(0) }; PAGE]))[slot]
            .store(word, Ordering::Relaxed);
    }
}

fn position(pid: u32) -> (usize, usize) {
    let pid = usize::try_from(pid).unwrap_or(usize::MAX);
    (pid / PAGE, pid % PAGE)
}

/// The only way to change a [`StrategyTable`].
#[derive(Debug)]
pub struct TableWriter {
    table: Arc<StrategyTable>,
    /// What the published bank holds, by pid.
    current: Vec<(u32, Entry)>,
    /// Pids in which the idle bank differs from the published one: those of the latest publication.
    stale: Vec<u32>,
}

impl TableWriter {
    /// Makes an empty table for pids below `pid_max` (held to what the kernel allows, rounded up to a page).
    pub fn new(pid_max: u32) -> Self {
        let pages = pid_max.clamp(1, PID_MAX_LIMIT).div_ceil(u32::try_from(PAGE).unwrap_or(1));
        let bank = || (0..pages).map(|_| OnceLock::new()).collect();
        let table = StrategyTable { generation: AtomicU64::new(0), banks: [bank(), bank()] };
        Self { table: Arc::new(table), current: Vec::new(), stale: Vec::new() }
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
        entries.retain(|&(pid, _)| pid < self.table.pid_max());
        entries.sort_by_key(|&(pid, _)| pid); // stable: the last of equals stays the last
        entries.reverse();
        entries.dedup_by_key(|&mut (pid, _)| pid);
        entries.reverse();
        let diff = Diff::between(&self.current, &entries);
        self.current = entries;
        self.publish(&diff);
    }

    /// Sets or clears the entry of one pid, in a generation of its own.
    pub fn set(&mut self, pid: u32, entry: Option<Entry>) {
        let mut diff = Diff::default();
        match (self.current.binary_search_by_key(&pid, |&(other, _)| other), entry) {
            (Ok(at), Some(entry)) if self.current[at].1 == entry => return,
            (Ok(at), Some(entry)) => {
                self.current[at].1 = entry;
                diff.changed.push((pid, entry));
            }
            (Ok(at), None) => {
                self.current.remove(at);
                diff.removed.push(pid);
            }
            (Err(at), Some(entry)) if pid < self.table.pid_max() => {
                self.current.insert(at, (pid, entry));
                diff.changed.push((pid, entry));
            }
            (Err(_), _) => return,
        }
        self.publish(&diff);
    }

    fn publish(&mut self, diff: &Diff) {
        if diff.is_empty() {
            return;
        }
        let generation = self.table.generation.load(Ordering::Relaxed);
        let published = usize::from(generation & 1 == 1);
        let [live, idle] = [published, 1 - published].map(|bank| &self.table.banks[bank]);
        // Nobody may see a write to the idle bank without seeing that its generation is over.
        fence(Ordering::Release);
        for pid in self.stale.drain(..) {
            write(idle, pid, read(live, pid));
        }
        for &(pid, entry) in &diff.changed {
            write(idle, pid, entry.bits());
            self.stale.push(pid);
        }
        for &pid in &diff.removed {
            write(idle, pid, 0);
            self.stale.push(pid);
        }
        self.table.generation.store(generation + 1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
