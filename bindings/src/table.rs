//! The table of strategies: of an engine in this process, of a file that was handed over, or of another process that serves its own.

use std::ffi::{c_char, c_int};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use gthulhu_lib::strategy::Entry;
use gthulhu_lib::strategy::table::{OpenError, Parts, StrategyTable};

use crate::boundary::{array, guarded, guarded_handle, numbers, put, text};
use crate::connect::connect;
use crate::error::gthulhu_code::{GTHULHU_BUSY, GTHULHU_NO_TABLE, GTHULHU_NULL, GTHULHU_SYSTEM};
use crate::error::{Failure, gthulhu_error};
use crate::handles::Handles;

/// A table. Any number of threads may read it at once, and no call waits.
#[expect(non_camel_case_types, reason = "the name in C")]
pub enum gthulhu_table {}

pub(crate) static TABLES: Handles<StrategyTable> = Handles::new();

/// The parts of a table for gthulhu_view_lookup, which is inline. Good as long as the table is not freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct gthulhu_view {
    /// The generation that is published.
    pub generation: *const u64,
    /// The presence map.
    pub presence: *const u8,
    /// The banks.
    pub banks: *const u64,
    /// Words of each bank: pids from here on have no entry.
    pub pid_max: u64,
}

/// Opens the table that a file descriptor is of. The descriptor stays the caller's. Nothing of the file is believed:
/// what is no table is GTHULHU_NO_TABLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_table_open(file: c_int, error: *mut gthulhu_error) -> *mut gthulhu_table {
    // SAFETY: what callers promise of every function, as for each call here and below.
    unsafe {
        guarded_handle(error, || {
            if file < 0 {
                return Err(Failure::new(GTHULHU_SYSTEM, "a file descriptor is not below 0"));
            }
            // It is duplicated at once, which a descriptor of nothing does not survive.
            let file = BorrowedFd::borrow_raw(file).try_clone_to_owned();
            let file = file.map_err(|error| Failure::of(GTHULHU_SYSTEM, &error))?;
            open(file)
        })
    }
}

/// Gets the table that another process serves at this unix socket, a decision maker (its feed) or a scheduler; NULL for
/// /run/gthulhu/feed.sock, which is the decision maker's. Waits 5 s for it at most. One that is started again has another
/// table: ask again now and then, and keep the old one until there is an answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_table_connect(
    socket: *const c_char,
    error: *mut gthulhu_error,
) -> *mut gthulhu_table {
    // SAFETY: see above.
    unsafe {
        guarded_handle(error, || {
            let socket = if socket.is_null() { "/run/gthulhu/feed.sock" } else { text(socket)? };
            open(connect(socket)?)
        })
    }
}

/// The word of a task as published; 0 if it has none, or the handle is bad. gthulhu_word_priority and others read it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_table_lookup(table: *const gthulhu_table, pid: u32) -> u64 {
    // SAFETY: see above; and nothing here can panic.
    unsafe { TABLES.glance(table) }.map_or(0, |table| table.lookup_word(pid))
}

/// As gthulhu_table_lookup, for the task that started at this moment, in clock ticks after boot (field 22 of its stat
/// file): one that had the same number in another tick has no word.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_table_lookup_task(table: *const gthulhu_table, pid: u32, start: u64) -> u64 {
    // SAFETY: see above; and nothing here can panic.
    let table = unsafe { TABLES.glance(table) };
    table.and_then(|table| table.lookup_task(pid, start)).map_or(0, Entry::bits)
}

/// Writes the words of count tasks, all of one generation, which is written to generation unless that is NULL. If pids or words
/// is NULL or no array, or the handle is bad, nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_table_lookup_batch(
    table: *const gthulhu_table,
    pids: *const u32,
    words: *mut u64,
    count: usize,
    generation: *mut u64,
) -> u32 {
    // SAFETY: see above.
    unsafe {
        guarded(std::ptr::null_mut(), || {
            let table = TABLES.peek(table)?;
            let (pids, words) = (array(pids, count)?, numbers(words, count)?);
            put(generation, table.lookup_batch(pids, words).ok_or_else(|| Failure::from(GTHULHU_BUSY))?);
            Ok(())
        })
    }
}

/// The number of the generation that is published; 0 before the first, and for a bad handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_table_generation(table: *const gthulhu_table) -> u64 {
    // SAFETY: see above; and nothing here can panic.
    unsafe { TABLES.glance(table) }.map_or(0, StrategyTable::generation)
}

/// Fills a view of the table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_table_view(table: *const gthulhu_table, view: *mut gthulhu_view) -> u32 {
    // SAFETY: see above.
    unsafe {
        guarded(std::ptr::null_mut(), || {
            let table = TABLES.peek(table)?;
            if view.is_null() {
                return Err(GTHULHU_NULL.into());
            }
            let Parts { generation, presence, banks } = table.parts();
            put(view, gthulhu_view { generation, presence, banks, pid_max: table.pid_max().into() });
            Ok(())
        })
    }
}

/// Frees a table. No other thread may be in a call with it, or read a view of it. One that was freed already is
/// GTHULHU_BAD_HANDLE, and NULL is GTHULHU_NULL; neither does harm.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gthulhu_table_free(table: *mut gthulhu_table) -> u32 {
    // SAFETY: see above.
    unsafe { guarded(std::ptr::null_mut(), || TABLES.take(table)) }
}

fn open(file: std::os::fd::OwnedFd) -> Result<*mut gthulhu_table, Failure> {
    let opened = StrategyTable::open(file).map_err(|error| {
        let code = if matches!(error, OpenError::NoTable(_)) { GTHULHU_NO_TABLE } else { GTHULHU_SYSTEM };
        Failure::of(code, &error)
    });
    TABLES.give(Arc::new(opened?))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileExt;
    use std::ptr::null_mut;

    use gthulhu_lib::strategy::Resolved;
    use gthulhu_lib::strategy::table::TableWriter;
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

    use super::*;

    fn view_of(table: *const gthulhu_table) -> gthulhu_view {
        let mut view = MaybeUninit::uninit();
        // SAFETY: the handle was given out, and the view is written before it is read.
        unsafe {
            assert_eq!(gthulhu_table_view(table, view.as_mut_ptr()), 0);
            view.assume_init()
        }
    }

    #[test]
    fn a_maker_who_changes_the_header_later_leads_nobody_astray() {
        let mut writer = TableWriter::new(512);
        writer.set(7, Some(Entry::pack(Resolved::clamped(3, 0), 100)));
        let file = writer.table().file().expect("Linux has such files").try_clone_to_owned();
        let file = File::from(file.expect("a descriptor can be duplicated"));
        let size = file.metadata().expect("it is open").len();
        let mut bytes = vec![0; usize::try_from(size).expect("it is in memory")];
        file.read_exact_at(&mut bytes, 0).expect("it can be read");

        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let made = memfd_create("hostile", flags).expect("Linux has such files");
        ftruncate(&made, size).expect("it is not sealed yet");
        let both = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping of the file's size.
        let base = unsafe { mmap(null_mut(), bytes.len(), both, MapFlags::SHARED, &made, 0) };
        let base = base.expect("it can be mapped").cast::<u64>();
        // SAFETY: there are as many bytes.
        unsafe { base.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE | SealFlags::SEAL;
        fcntl_add_seals(&made, seals).expect("it can be sealed");

        // SAFETY: the descriptor is open, and NULL is allowed.
        let table = unsafe { gthulhu_table_open(made.as_raw_fd(), null_mut()) };
        let before = view_of(table);
        for (word, value) in [(3, 1 << 30), (5, 1 << 40), (7, u64::MAX), (8, 1 << 40)] {
            // SAFETY: the header is in the first page of the mapping.
            unsafe { base.add(word).write_volatile(value) };
        }
        let after = view_of(table);
        assert_eq!(
            (after.generation, after.presence, after.banks, after.pid_max),
            (before.generation, before.presence, before.banks, 512)
        );
        // SAFETY: the table is not freed before it was looked into, nor the mapping before the table.
        unsafe {
            assert_ne!(gthulhu_table_lookup(table, 7), 0);
            assert_eq!(gthulhu_table_free(table), 0);
            munmap(base.cast(), bytes.len()).expect("it was mapped");
        }
    }
}
