//! The one writer of a table: brings a bank up to date, publishes it, and knows what each bank holds.

use std::alloc::{self, handle_alloc_error};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::layout::{BANKS, Layout};
use super::memory::{Memory, Places};
use super::protocol::{self, Machine};
use super::{Entry, SPACING, StrategyTable};

/// Single changes that a bank is brought up to date by; more, and it is written anew.
const TOUCHED: usize = 64;

/// The only way to change a [`StrategyTable`].
#[derive(Debug)]
pub struct TableWriter {
    table: Arc<StrategyTable>,
    /// What is published, by pid.
    current: Vec<(u32, Entry)>,
    /// The pids of `current`, if they are at hand.
    pids: Option<Arc<[u32]>>,
    banks: [Bank; BANKS],
    /// When the latest generation was published.
    published: Option<Instant>,
}

/// What is known of a bank.
#[derive(Debug, Default)]
struct Bank {
    /// Pids that may have a word in it, ascending. Outside these and `touched` it holds nothing.
    pids: Arc<[u32]>,
    /// Pids that changed since it was written as a whole.
    touched: Vec<u32>,
    /// Whether others may have changed as well.
    behind: bool,
}

impl TableWriter {
    /// Makes an empty table for pids below `pid_max` (held to what the kernel allows, rounded up to a multiple of 512). A
    /// system that has no room for it ends this process, as for any memory; see [`try_new`](Self::try_new).
    pub fn new(pid_max: u32) -> Self {
        Self::try_new(pid_max).unwrap_or_else(|_| {
            let size = Layout::new(pid_max).size();
            handle_alloc_error(alloc::Layout::array::<u8>(size).unwrap_or(alloc::Layout::new::<u8>()))
        })
    }

    /// As [`new`](Self::new), for a process that is somebody else's.
    ///
    /// # Errors
    ///
    /// If there is no room for the table.
    pub fn try_new(pid_max: u32) -> io::Result<Self> {
        let table = Arc::new(StrategyTable { memory: Memory::new(Layout::new(pid_max))? });
        Ok(Self { table, current: Vec::new(), pids: None, banks: Default::default(), published: None })
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
        // Most often the same tasks have other strategies; then their pids are in order, and known.
        let same_pids = self.pids.as_deref().is_some_and(|pids| {
            pids.len() == entries.len() && pids.iter().zip(&entries).all(|(pid, entry)| *pid == entry.0)
        });
        if !same_pids {
            let pid_max = self.table.pid_max();
            let in_order = entries.is_sorted_by(|a, b| a.0 < b.0);
            if !in_order || entries.last().is_some_and(|&(pid, _)| pid >= pid_max) {
                entries.retain(|&(pid, _)| pid < pid_max);
                entries.sort_by_key(|&(pid, _)| pid); // stable: the last of equals stays the last
                entries.reverse();
                entries.dedup_by_key(|&mut (pid, _)| pid);
                entries.reverse();
            }
        }
        if entries != self.current {
            self.current = entries;
            if !same_pids {
                self.pids = None;
            }
            self.banks.iter_mut().for_each(|bank| bank.behind = true);
            self.publish();
        }
    }

    /// Sets or clears the entry of one pid, in a generation of its own.
    pub fn set(&mut self, pid: u32, entry: Option<Entry>) {
        match (self.current.binary_search_by_key(&pid, |&(other, _)| other), entry) {
            (Ok(at), Some(entry)) if self.current[at].1 == entry => return,
            (Ok(at), Some(entry)) => self.current[at].1 = entry,
            (Ok(at), None) => {
                self.current.remove(at);
                self.pids = None;
            }
            (Err(at), Some(entry)) if pid < self.table.pid_max() => {
                self.current.insert(at, (pid, entry));
                self.pids = None;
            }
            (Err(_), _) => return,
        }
        self.banks.iter_mut().for_each(|bank| bank.touched.push(pid));
        self.publish();
    }

    /// Brings the next bank up to `current` and makes it the published one.
    fn publish(&mut self) {
        while self.published.is_some_and(|published| published.elapsed() < SPACING) {
            std::hint::spin_loop();
        }
        let Self { table, current, pids, banks, .. } = self;
        let places = table.memory.places();
        protocol::publish::<Machine, BANKS>(places.generation, |number| {
            let bank = &mut banks[number];
            let write = |pid, word| write(places, number, pid, word);
            if bank.behind || bank.touched.len() > TOUCHED {
                let pids = pids.get_or_insert_with(|| current.iter().map(|&(pid, _)| pid).collect());
                if !Arc::ptr_eq(pids, &bank.pids) {
                    each_missing(&bank.pids, pids, |gone| write(gone, 0));
                    for &pid in &**pids {
                        appear(places, pid);
                    }
                }
                for &(pid, entry) in &*current {
                    write(pid, entry.bits());
                }
                let touched = std::mem::take(&mut bank.touched);
                let gone = touched.iter().filter(|pid| pids.binary_search(pid).is_err());
                gone.for_each(|&pid| write(pid, 0));
                *bank = Bank { pids: Arc::clone(pids), touched: Vec::new(), behind: false };
            } else {
                for &pid in &bank.touched {
                    let found = current.binary_search_by_key(&pid, |&(other, _)| other);
                    let word = found.map_or(0, |at| current[at].1.bits());
                    if word != 0 {
                        appear(places, pid);
                    }
                    write(pid, word);
                }
            }
        });
        self.published = Some(Instant::now());
    }
}

/// Every number of `old` that is not in `new`; both ascend.
fn each_missing(old: &[u32], new: &[u32], mut gone: impl FnMut(u32)) {
    let mut new = new.iter().peekable();
    for &pid in old {
        while new.next_if(|&&other| other < pid).is_some() {}
        if new.peek().is_none_or(|&&other| other != pid) {
            gone(pid);
        }
    }
}

/// Notes that this pid may have entries from now on.
fn appear(places: Places<'_>, pid: u32) {
    if let Some((presence, _)) = places.of(0, pid) {
        presence.store(1, Ordering::Relaxed);
    }
}

fn write(places: Places<'_>, bank: usize, pid: u32, word: u64) {
    if let Some((_, place)) = places.of(bank, pid) {
        place.store(word, Ordering::Relaxed);
    }
}
