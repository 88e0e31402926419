//! What is no table is refused, and who was handed a table can only read it.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};

use gthulhu_lib::strategy::Resolved;
use gthulhu_lib::strategy::table::{OpenError, StrategyTable, TableWriter};
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create,
};
use rustix::io::Errno;

use crate::entry;

fn all_seals() -> SealFlags {
    SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE | SealFlags::SEAL
}

/// A file that holds these bytes and has this size and these seals.
fn file(bytes: &[u8], size: u64, seals: SealFlags) -> OwnedFd {
    let file = memfd_create("hostile", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&file, size).unwrap();
    let file = File::from(file);
    file.write_all_at(bytes, 0).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file.into()
}

/// The bytes of a table of 512 pids of which one has an entry.
fn table_bytes() -> Vec<u8> {
    let mut writer = TableWriter::new(512);
    writer.replace(vec![(7, entry(3, 100))]);
    let file = File::from(writer.table().file().unwrap().try_clone_to_owned().unwrap());
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn refusal(file: OwnedFd) -> String {
    match StrategyTable::open(file) {
        Err(OpenError::NoTable(why)) => why.to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_table_is_refused() {
    let good = table_bytes();
    let size = good.len() as u64;
    assert!(StrategyTable::open(file(&good, size, all_seals())).is_ok(), "the copy of a table is one");
    for missing in [SealFlags::SHRINK, SealFlags::GROW, SealFlags::FUTURE_WRITE, SealFlags::SEAL] {
        let why = refusal(file(&good, size, all_seals() - missing));
        assert_eq!(why, "it is not sealed against its owner and others");
    }
    for other in [size - 1, size + 1, size * 2] {
        let cut = &good[..good.len() - 1];
        assert_eq!(refusal(file(cut, other, all_seals())), "its size is not what its header says");
    }
    for at in 0..72 {
        let mut bytes = good.clone();
        bytes[at] ^= 0x80;
        assert_eq!(refusal(file(&bytes, size, all_seals())), "its layout is not known here", "byte {at}");
    }
    assert_eq!(refusal(File::open("/dev/null").unwrap().into()), "it is no file that can be sealed");
    let ordinary = tempfile::tempfile().unwrap();
    ordinary.write_all_at(&good, 0).unwrap();
    assert!(StrategyTable::open(ordinary.into()).is_err());
    for size in [0, 8, 71] {
        let bytes = &good[..usize::try_from(size).unwrap()];
        assert!(matches!(StrategyTable::open(file(bytes, size, all_seals())), Err(OpenError::System(..))));
    }
}

#[test]
fn any_words_behind_a_good_header_can_be_read() {
    for filler in [0xff, 0x01, 0x80] {
        let mut bytes = table_bytes();
        bytes[128..].fill(filler);
        let size = bytes.len() as u64;
        let table = StrategyTable::open(file(&bytes, size, all_seals())).unwrap();
        for pid in [0, 7, 511, 512, 4_194_304, u32::MAX] {
            if let Some(entry) = table.lookup(pid) {
                let held = entry.resolved();
                let clamped = Resolved::clamped(held.priority().into(), held.slice_ns().into());
                assert!(pid < 512 && held == clamped);
            }
        }
        table.lookup_batch(&[u32::MAX, 1], &mut [0; 2]).expect("its generation stands still");
    }
}

#[test]
fn whoever_has_the_file_can_only_read_it() {
    let mut writer = TableWriter::new(512);
    writer.replace(vec![(7, entry(3, 100))]);
    let ours = writer.table().file().unwrap();
    let path = format!("/proc/self/fd/{}", ours.as_raw_fd());
    // As somebody would open it who was handed the descriptor, with all that root may do.
    let theirs = OpenOptions::new().read(true).write(true).open(path).unwrap();
    for file in [ours, theirs.as_fd()] {
        let as_file = File::from(file.try_clone_to_owned().unwrap());
        assert!(as_file.write_at(&[0; 8], 128).is_err(), "written to");
        assert!(as_file.set_len(0).is_err() && as_file.set_len(1 << 30).is_err(), "resized");
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        assert_eq!(fallocate(file, hole, 4096, 4096), Err(Errno::PERM), "emptied");
        assert_eq!(fcntl_add_seals(file, SealFlags::WRITE), Err(Errno::PERM), "sealed further");
    }
    let table = StrategyTable::open(theirs.into()).unwrap();
    assert_eq!(table.lookup_task(7, 100), Some(entry(3, 100)));
    writer.set(7, None);
    assert_eq!(table.lookup(7), None, "and its maker still writes");
}

#[test]
fn reading_adds_nothing_to_the_file() {
    let mut writer = TableWriter::new(u32::MAX);
    writer.replace(vec![(7, entry(1, 1)), (4_000_000, entry(1, 2))]);
    writer.set(7, None);
    writer.set(7, Some(entry(1, 3)));
    writer.set(7, None);
    let file = File::from(writer.table().file().unwrap().try_clone_to_owned().unwrap());
    let held = |file: &File| file.metadata().unwrap().blocks() * 512;
    let before = held(&file);
    // Header, presence map, and two pages in each of four banks.
    assert!(before <= (1 + 2 + 2 * 4) * 4096, "{before} bytes");
    let table = StrategyTable::open(file.try_clone().unwrap().into()).unwrap();
    let found = (0..table.pid_max()).filter(|&pid| table.lookup(pid).is_some()).count();
    assert_eq!((found, held(&file)), (1, before));
}

#[test]
fn the_header_in_the_file_is_the_documented_one() {
    let bytes = table_bytes();
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!(&bytes[..8], b"GTHULHUT");
    assert_eq!((word(8), word(16), word(24), word(32)), (1, bytes.len() as u64, 512, 4));
    let (presence, shift, banks, bank) = (word(40), word(48), word(56), word(64));
    assert_eq!((presence, shift, banks, bank), (4096, 9, 8192, 4096));
    // A reader that knows no more than this finds the entry.
    let generation = word(128);
    let at = |offset: u64| usize::try_from(offset).unwrap();
    assert_eq!(bytes[at(presence + (7 >> shift))], 1);
    assert_eq!(word(at(banks + generation % 4 * bank + 7 * 8)), entry(3, 100).bits());
}
