//! The memory behind a table: a file without a name that processes share, or pages of our own where there is none.
//!
//! This is the only place in the crate where the compiler has to believe us. It gives out nothing but atomic words and
//! bytes at places that it has checked, so that whatever others write there, reading it is defined.

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::{NonNull, null_mut};
use std::slice;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use super::layout::{BANKS, GENERATION_WORD, HEADER, Layout, PRESENCE_AT, PRESENCE_SHIFT};
use super::open::OpenError;

/// Nobody can resize the file, map it for writing, write to it, or take any of that back.
fn seals() -> SealFlags {
    SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE | SealFlags::SEAL
}

/// Mapped memory with the places of a [`Layout`]; unmapped with this value.
#[derive(Debug)]
pub(super) struct Memory {
    base: NonNull<u8>,
    layout: Layout,
    /// For others, or why they cannot have it.
    file: Result<OwnedFd, Errno>,
    // What follows from these two, at hand for each lookup.
    presence: NonNull<AtomicU8>,
    banks: NonNull<AtomicU64>,
    bank_words: usize,
}

// SAFETY: everything in the memory is only ever accessed by atomic operations; the rest does not change.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Memory for a new table: a sealed file if the system gives one, which [`Memory::file`] tells.
    pub(super) fn new(layout: Layout) -> Result<Self, Errno> {
        let memory = Self::sealed(layout).or_else(|why| Self::private(layout, why))?;
        for (at, value) in layout.header().into_iter().enumerate() {
            memory.header_word(at).store(value, Ordering::Relaxed);
        }
        Ok(memory)
    }

    fn sealed(layout: Layout) -> Result<Self, Errno> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("gthulhu-table", flags | MemfdFlags::NOEXEC_SEAL).or_else(|error| {
            // Linux before 6.3 does not know of files that can never be executed.
            if error == Errno::INVAL { memfd_create("gthulhu-table", flags) } else { Err(error) }
        })?;
        ftruncate(&file, layout.size() as u64)?;
        // Our own mapping, being older than the seals, is the only one that can be written to.
        let memory = Self::map(layout, file, ProtFlags::READ | ProtFlags::WRITE)?;
        fcntl_add_seals(memory.file()?, seals())?;
        Ok(memory)
    }

    fn private(layout: Layout, why: Errno) -> Result<Self, Errno> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address that the kernel chooses touches no memory that is in use.
        let base = unsafe { mmap_anonymous(null_mut(), layout.size(), protection, flags) }?;
        Ok(Self::at(NonNull::new(base.cast()).ok_or(Errno::NOMEM)?, layout, Err(why)))
    }

    /// Maps a table that somebody made, for reading. Nothing of it is believed: it has to be sealed, so that it cannot
    /// be taken away beneath us, and its header and size have to be those of a layout that we know.
    pub(super) fn open(file: OwnedFd) -> Result<Self, OpenError> {
        let held =
            fcntl_get_seals(&file).map_err(|_| OpenError::NoTable("it is no file that can be sealed"))?;
        if !held.contains(seals()) {
            return Err(OpenError::NoTable("it is not sealed against its owner and others"));
        }
        let file = File::from(file);
        let mut header = [0; HEADER * size_of::<u64>()];
        file.read_exact_at(&mut header, 0).map_err(|error| OpenError::System("read the header of", error))?;
        let (words, _) = header.as_chunks();
        let header = std::array::from_fn(|at| u64::from_ne_bytes(words[at]));
        let size = file.metadata().map_err(|error| OpenError::System("look at", error))?.len();
        let layout = Layout::of_header(&header).ok_or(OpenError::NoTable("its layout is not known here"))?;
        if size != layout.size() as u64 {
            return Err(OpenError::NoTable("its size is not what its header says"));
        }
        let mapped = Self::map(layout, file.into(), ProtFlags::READ);
        mapped.map_err(|error| OpenError::System("map", error.into()))
    }

    fn map(layout: Layout, file: OwnedFd, protection: ProtFlags) -> Result<Self, Errno> {
        // SAFETY: as for anonymous memory. The file has the mapping's size and keeps it: it is sealed, or not known to
        // anybody yet.
        let base: *mut c_void =
            unsafe { mmap(null_mut(), layout.size(), protection, MapFlags::SHARED, &file, 0) }?;
        let base = NonNull::new(base.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self::at(base, layout, Ok(file)))
    }

    fn at(base: NonNull<u8>, layout: Layout, file: Result<OwnedFd, Errno>) -> Self {
        // SAFETY: the mapping has the layout's size, and both begin within it.
        let [presence, banks] = unsafe { [base.add(PRESENCE_AT), base.add(layout.banks_at())] };
        let (presence, banks) = (presence.cast(), banks.cast());
        Self { base, layout, file, presence, banks, bank_words: layout.bank_words() }
    }

    /// Where everything is.
    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// The file, if others can have it.
    pub(super) fn file(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.file.as_ref().map(AsFd::as_fd).map_err(|why| *why)
    }

    /// The addresses of the places.
    pub(super) fn parts(&self) -> Parts {
        // Not by the header in the memory, which its maker may be able to change.
        Parts {
            generation: self.places().generation.as_ptr(),
            presence: self.presence.as_ptr().cast(),
            banks: self.banks.as_ptr().cast(),
        }
    }

    fn header_word(&self, at: usize) -> &AtomicU64 {
        assert!(at <= GENERATION_WORD, "the header ends there");
        // SAFETY: the first page is mapped, aligned, and accessed by atomic words only.
        unsafe { self.base.cast::<AtomicU64>().add(at).as_ref() }
    }

    /// What there is to read and write.
    #[inline]
    pub(super) fn places(&self) -> Places<'_> {
        // SAFETY: the word lies in the first page, which is mapped and aligned.
        let generation = unsafe { self.base.cast::<AtomicU64>().add(GENERATION_WORD).as_ref() };
        // SAFETY: the presence map lies within the mapping, and is accessed by atomic bytes only.
        let presence =
            unsafe { slice::from_raw_parts(self.presence.as_ptr(), self.bank_words >> PRESENCE_SHIFT) };
        Places { generation, presence, banks: self.banks, bank_words: self.bank_words }
    }
}

/// Where the parts of a table are. What is there is to be read by atomic operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The generation that is published.
    pub generation: *const u64,
    /// The presence map: a byte for each 512 pids below [`pid_max`](super::StrategyTable::pid_max).
    pub presence: *const u8,
    /// The banks, each of as many words as there are pids.
    pub banks: *const u64,
}

/// The parts of a table, at hand for many lookups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    /// The generation that is published.
    pub(super) generation: &'a AtomicU64,
    /// A byte for each 512 pids: so many as the words of a bank.
    presence: &'a [AtomicU8],
    /// Of [`BANKS`] times `bank_words` words, borrowed like the others.
    banks: NonNull<AtomicU64>,
    bank_words: usize,
}

// SAFETY: as for the memory whose parts they are.
unsafe impl Send for Places<'_> {}
// SAFETY: as above.
unsafe impl Sync for Places<'_> {}

impl<'a> Places<'a> {
    /// Where a pid's word is in a bank, and the byte of the presence map that speaks for it.
    #[inline]
    pub(super) fn of(self, bank: usize, pid: u32) -> Option<(&'a AtomicU8, &'a AtomicU64)> {
        let presence = self.presence.get((pid >> PRESENCE_SHIFT) as usize)?;
        if bank >= BANKS {
            return None;
        }
        // SAFETY: the presence map has a byte for each pid that a bank has a word for, so this pid has one. The banks lie
        // within the mapping, begin a page, and are accessed by atomic words only.
        let word = unsafe { self.banks.add(bank * self.bank_words + pid as usize).as_ref() };
        Some((presence, word))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this size, and every reference into it was borrowed from this value.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.layout.size()) };
        debug_assert!(unmapped.is_ok(), "a mapping is there until it is unmapped");
    }
}
