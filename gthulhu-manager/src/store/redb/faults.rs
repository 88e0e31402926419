//! Every call to the disk fails in turn: whatever was acknowledged is there afterwards, and after a failure nothing
//! is acknowledged any more, even if the disk works again.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ::redb::StorageBackend;
use ::redb::backends::FileBackend;

use super::*;
use crate::domain::NodeAck;
use crate::store::{Bookkeeping, Document};

const COMMITS: u64 = 3;
const EIO: i32 = 5;

/// When the disk fails: at the call with this number, and after it unless the disk recovers.
#[derive(Debug)]
struct Disk {
    calls: AtomicU64,
    fails_at: AtomicU64,
    recovers: bool,
}

impl Disk {
    fn step(&self) -> io::Result<()> {
        let (call, fails_at) =
            (self.calls.fetch_add(1, Ordering::SeqCst), self.fails_at.load(Ordering::SeqCst));
        let fails = if self.recovers { call == fails_at } else { call >= fails_at };
        if fails { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
    }

    fn has_failed(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.fails_at.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
struct Faulty {
    file: FileBackend,
    disk: Arc<Disk>,
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.step()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.step()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.step()?;
        self.file.write(offset, data)
    }
}

/// Opens the store; the disk works until then, and fails at the `n`th call afterwards, counted from 0.
fn open(path: &Path, n: u64, recovers: bool) -> (RedbStore, Arc<Disk>) {
    let disk = Arc::new(Disk { calls: AtomicU64::new(0), fails_at: AtomicU64::new(u64::MAX), recovers });
    let file = File::options().read(true).write(true).open(path).unwrap();
    let backend = Faulty { file: FileBackend::new(file).unwrap(), disk: Arc::clone(&disk) };
    let database = Database::builder().create_with_backend(backend).unwrap();
    disk.calls.store(0, Ordering::SeqCst);
    disk.fails_at.store(n, Ordering::SeqCst);
    (RedbStore { database, poisoned: AtomicBool::new(false) }, disk)
}

fn ack(version: u64, generation: u64) -> Batch {
    let ack = NodeAck { node: "n".into(), epoch: 1, generation, error: None, at_ms: 0 };
    Bookkeeping::new().ack(version, ack).into()
}

fn stored(path: &Path) -> u64 {
    match &RedbStore::open(path).unwrap().snapshot().unwrap().documents[..] {
        [] => 0,
        [(Document::NodeAck(ack), _)] => ack.generation,
        other => panic!("more than was put: {other:?}"),
    }
}

/// Commits until a failure; returns how many were acknowledged.
fn run(store: &RedbStore) -> u64 {
    let (mut version, mut acknowledged) = (0, 0);
    for generation in 1..=COMMITS {
        match store.commit(&ack(version, generation)) {
            Ok(committed) => (version, acknowledged) = (committed.version, generation),
            Err(CommitError::Store(StoreError::Failed(_))) => {
                let again = store.commit(&ack(version, generation));
                assert!(matches!(again, Err(CommitError::Store(StoreError::Poisoned))));
                break;
            }
            Err(other) => panic!("another error: {other}"),
        }
    }
    acknowledged
}

#[test]
fn a_failure_at_any_call_loses_nothing_that_was_acknowledged() {
    for recovers in [false, true] {
        let mut n = 0;
        loop {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("s.redb");
            drop(RedbStore::open(&path).unwrap());
            let (store, disk) = open(&path, n, recovers);
            let acknowledged = run(&store);
            let failed = disk.has_failed();
            drop(store);
            let found = stored(&path);
            // One commit may have reached the disk although its acknowledgement failed.
            assert!(
                (acknowledged..=acknowledged + 1).contains(&found),
                "call {n}: {acknowledged}, found {found}"
            );
            if !failed {
                assert_eq!((acknowledged, found), (COMMITS, COMMITS));
                break;
            }
            n += 1;
        }
        assert!(n > 5 * COMMITS, "only {n} calls were tried");
    }
}
