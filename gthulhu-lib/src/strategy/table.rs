//! The table that schedulers read: one word per pid, published as whole generations, read without locks, from any
//! process that was handed its file.
//!
//! `protocol` says how writer and readers keep out of each other's way, `memory` is the file, and where everything is in it:
//!
//! | byte | what |
//! |---|---|
//! | 0 | the bytes `GTHULHUT` |
//! | 8 | version of this layout: 1. Another number is another layout |
//! | 16 | size of the whole, in bytes |
//! | 24 | `pid_max`: pids below it have a place; a multiple of 512, at most 4,194,304 |
//! | 32 | banks: 4 |
//! | 40 | where the presence map begins: byte 4096 |
//! | 48 | pids for each byte of the presence map, as a power of two: 9 |
//! | 56 | where the first bank begins |
//! | 64 | bytes of a bank: 8 for each pid |
//! | 128 | the generation that is published, on a cache line of its own |
//! | 4096 | the presence map: a byte for 512 pids, 0 while none of them ever had an entry |
//! | | the banks, one after the other, each beginning a page |
//!
//! Numbers are 64 bits wide and in the byte order of the machine. The word of pid `p` in generation `g` is number `p` of
//! bank `g % 4`; what its bits mean is in [`Entry`]. A reader asks the presence map first: a page of a bank that was never
//! written to would come into being by being read. In version 1 all but `pid_max` is fixed or follows from it, and whoever
//! opens a table makes sure that it does.
//!
//! What a reader may count on:
//!
//! - **Whole generations.** A lookup gives what one generation holds, a batch gives all its words from one; that
//!   generation was the published one when the lookup began, or a later one.
//! - **It waits for nobody.** No lookup takes a lock, writes to the table, allocates or makes a system call. It is over after at
//!   most [`ATTEMPTS`] attempts, whatever anybody does. An attempt fails only if three publications fall into it, and
//!   a [`TableWriter`] leaves [`SPACING`] between two: only a reader that is kept from running for twice that, or whose batch
//!   takes that long, makes a second one. The last attempt failing means "no entry", which takes a writer that does
//!   not keep to this, or a machine that interrupts the same few nanoseconds every time.
//! - **Words of a foreign writer do no harm.** Whatever is in the memory, every read of it is within bounds, and what
//!   an [`Entry`] gives is within the scale.
//!
//! Memory: the file is four banks of 8 bytes for each pid below `pid_max`, 128 MiB at most, of which there is only what was
//! written to: 16 KiB for each 512 neighbouring pids of which one ever had an entry. Reading adds nothing to that.
//!
//! A table lives as long as anybody has it mapped. Its readers do not see its writer end: they keep the last
//! generation, as a scheduler without its decision maker should.
//!
//! ```
//! use gthulhu_lib::strategy::table::{StrategyTable, TableWriter};
//! use gthulhu_lib::strategy::{Entry, Resolved};
//!
//! let mut writer = TableWriter::new(4_194_304);
//! let file = writer.table().file().ok_or("no such files here")?.try_clone_to_owned()?;
//! // Another process gets the file, by a unix socket, and:
//! let table = StrategyTable::open(file)?;
//! writer.replace(vec![(4242, Entry::pack(Resolved::clamped(3, 20_000_000), 98_765))]);
//! let entry = table.lookup_task(4242, 98_765).ok_or("it has a strategy")?;
//! assert_eq!((entry.resolved().priority(), entry.resolved().slice_ns()), (3, 20_000_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod layout;
#[expect(unsafe_code, reason = "memory that other processes share is reached by mapping a file")]
mod memory;
mod open;
mod protocol;
mod writer;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::Duration;

use self::layout::BANKS;
use self::memory::{Memory, Places};
use self::protocol::Machine;
use super::Entry;

pub use memory::Parts;
pub use open::OpenError;
pub use writer::TableWriter;

/// The greatest pid range that the kernel can be set to (pids are below it).
pub const PID_MAX_LIMIT: u32 = 1 << 22;

/// The version of the layout of a table.
pub const LAYOUT: u64 = layout::VERSION;

/// The least time between two publications of a [`TableWriter`].
pub const SPACING: Duration = Duration::from_micros(20);

/// How often a lookup is attempted.
pub const ATTEMPTS: u32 = 64;

/// Strategies by pid (or thread id), for any number of readers. Written through the one [`TableWriter`].
#[derive(Debug)]
pub struct StrategyTable {
    memory: Memory,
}

impl StrategyTable {
    /// Maps a table of another process, of which this file is a descriptor (see [`StrategyTable::file`]).
    ///
    /// # Errors
    ///
    /// Nothing of the file is believed: if it is not sealed as a [`TableWriter`] seals it, or has another layout or size,
    /// or cannot be mapped, it is refused.
    pub fn open(file: OwnedFd) -> Result<Self, OpenError> {
        Ok(Self { memory: Memory::open(file)? })
    }

    /// The file to hand to other processes, which can only read it. `None` where the system gives no such file: the table
    /// is then good for this process alone.
    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        self.memory.file().ok()
    }

    /// Why there is no [`file`](Self::file), if there is none.
    pub fn why_private(&self) -> Option<io::Error> {
        self.memory.file().err().map(io::Error::from)
    }

    /// Where its parts are in memory, for readers that are written in C. They are mapped as long as this value lives.
    pub fn parts(&self) -> Parts {
        self.memory.parts()
    }

    /// A reader for many lookups: it has at hand what each needs, and may be copied.
    #[inline]
    pub fn reader(&self) -> Reader<'_> {
        Reader(self.memory.places())
    }

    /// As [`Reader::lookup`].
    #[inline]
    pub fn lookup(&self, pid: u32) -> Option<Entry> {
        self.reader().lookup(pid)
    }

    /// As [`Reader::lookup_word`].
    #[inline]
    pub fn lookup_word(&self, pid: u32) -> u64 {
        self.reader().lookup_word(pid)
    }

    /// As [`Reader::lookup_task`].
    #[inline]
    pub fn lookup_task(&self, pid: u32, start: u64) -> Option<Entry> {
        self.reader().lookup_task(pid, start)
    }

    /// As [`Reader::lookup_batch`].
    #[inline]
    pub fn lookup_batch(&self, pids: &[u32], words: &mut [u64]) -> Option<u64> {
        self.reader().lookup_batch(pids, words)
    }

    /// The number of the generation that readers see now. It moves only when an entry changes.
    pub fn generation(&self) -> u64 {
        protocol::noted::<Machine>(self.memory.places().generation)
    }

    /// Pids from here on never have an entry.
    pub fn pid_max(&self) -> u32 {
        self.memory.layout().pid_max
    }
}

/// What looks tasks up in a table.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(Places<'a>);

impl Reader<'_> {
    /// The entry of `pid` as published, whichever task it was made for.
    #[inline]
    pub fn lookup(self, pid: u32) -> Option<Entry> {
        Entry::from_bits(self.lookup_word(pid))
    }

    /// The word of `pid` as published; 0 is no entry (see [`Entry::from_bits`]).
    #[inline]
    pub fn lookup_word(self, pid: u32) -> u64 {
        self.read(move |bank| self.word(bank, pid)).map_or(0, |(_, word)| word)
    }

    /// The entry of the task with this number that started at `start` clock ticks after boot.
    #[inline]
    pub fn lookup_task(self, pid: u32, start: u64) -> Option<Entry> {
        self.lookup(pid).filter(|entry| entry.is_of(start))
    }

    /// Writes the words of `pids` to `words`, all from one generation, which it returns. A word of 0 is no
    /// entry (see [`Entry::from_bits`]). Of slices that differ in length the longer one's rest is left alone.
    ///
    /// A batch that cannot be read within two [`SPACING`]s, some ten thousand pids, may be read again for each three
    /// publications that fall into it. `None` if that happened [`ATTEMPTS`] times; then all words are 0.
    #[inline]
    pub fn lookup_batch(self, pids: &[u32], words: &mut [u64]) -> Option<u64> {
        let read = self.read(|bank| {
            for (word, &pid) in words.iter_mut().zip(pids) {
                *word = self.word(bank, pid);
            }
        });
        let Some((generation, ())) = read else {
            let filled = words.len().min(pids.len());
            words[..filled].fill(0);
            return None;
        };
        Some(generation)
    }

    #[inline]
    fn read<T>(self, words: impl FnMut(usize) -> T) -> Option<(u64, T)> {
        protocol::read::<Machine, BANKS, T>(self.0.generation, ATTEMPTS, words)
    }

    #[inline]
    fn word(self, bank: usize, pid: u32) -> u64 {
        match self.0.of(bank, pid) {
            // Whoever has seen a generation sees the presence that was noted before it.
            Some((presence, word)) if presence.load(Ordering::Relaxed) != 0 => word.load(Ordering::Relaxed),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
