//! The manager's store file, damaged.
//!
//! Property: opening a damaged file never panics. It is refused in one line that names the file, or everything that can
//! be read is exactly what was committed: every document at its version, every audit record byte for byte. Nothing is
//! missing, nothing is older, nothing else is there. Both files are damaged: one that was closed in order, and one
//! whose process was killed.
#![no_main]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use gthulhu_lib::id::Id;
use gthulhu_lib::selector::Selector;
use gthulhu_manager::domain::Strategy;
use gthulhu_manager::store::audit::Origin;
use gthulhu_manager::store::redb::RedbStore;
use gthulhu_manager::store::{AuditEntry, Batch, Document, OpenError, Snapshot, Store};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

const PAGE: usize = 4096;
const HEADER: usize = 320;
/// The byte that says which of the two newest commits holds (bit 0), and whether the last one was whole before it did (bit 2).
/// With the first one flipped it is the file of a crash in the middle of the last commit, bit for bit: the store opens with
/// the one before, and nothing in the file could tell. With the second one flipped, a last commit that is damaged as well is
/// taken for one that a crash has cut short.
const CURRENT: usize = 9;
const CURRENT_BITS: u8 = 0b101;

struct File {
    bytes: Vec<u8>,
    used: Vec<usize>,
}

struct Made {
    dir: TempDir,
    closed: File,
    killed: File,
    snapshot: Snapshot,
    audit: Vec<Vec<u8>>,
}

/// What the last panic said.
static PANIC: Mutex<String> = Mutex::new(String::new());

static MADE: LazyLock<Made> = LazyLock::new(|| {
    // Opening catches the database's panics, which is what it promises; the fuzzer's hook would abort before that. A
    // panic that gets out of the store is shown, and ends the run all the same.
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(mut said) = PANIC.lock() {
            *said = panic.to_string();
        }
    }));
    let dir = TempDir::new().expect("a temporary directory can be made");
    let path = dir.path().join("whole.redb");
    let store = RedbStore::open(&path).expect("a store can be made");
    for n in 0..6 {
        fill(&store, n);
    }
    let killed = File::new(&path);
    let snapshot = store.snapshot().expect("it can be read");
    let audit = store.audit(0, usize::MAX).expect("it can be read");
    drop(store);
    let closed = File::new(&path);
    assert!(snapshot.documents.len() == 4 && audit.len() == 6);
    Made { dir, closed, killed, snapshot, audit }
});

/// Makes, replaces or deletes a strategy.
fn fill(store: &RedbStore, n: u8) {
    let origin = Origin::system(i64::from(n));
    let document = strategy(n % 5, i64::from(n));
    let batch = match n {
        0..5 => Batch::audited(AuditEntry::created(&origin, "strategy.create", &document)).create(document),
        _ => {
            let batch = Batch::audited(AuditEntry::deleted(&origin, "strategy.delete", &document));
            batch.delete(1, document.key())
        }
    };
    store.commit(&batch).expect("it can be written");
}

fn strategy(n: u8, priority: i64) -> Document {
    let id = Id::from_bytes([n; 12]);
    Document::Strategy(Strategy {
        id,
        creator: id,
        updater: id,
        created_ms: 0,
        updated_ms: 0,
        strategy_namespace: "default".into(),
        label_selectors: vec![Selector::new("app", "x".repeat(usize::from(n) * 300))],
        k8s_namespace: vec![],
        command_regex: "nginx".into(),
        priority,
        execution_time: 0,
    })
}

impl File {
    fn new(path: &Path) -> Self {
        let bytes = fs::read(path).expect("the file can be read");
        let used = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(at, _)| at).collect();
        Self { bytes, used }
    }

    /// Each edit is eight bytes: what, where (four bytes), and with what (three bytes).
    fn edited(&self, edits: &[u8]) -> Vec<u8> {
        let mut file = self.bytes.clone();
        let (len, pages) = (file.len(), file.len() / PAGE);
        for edit in edits.chunks_exact(8) {
            let at = u32::from_le_bytes([edit[1], edit[2], edit[3], edit[4]]) as usize;
            match edit[0] % 6 {
                // Anywhere.
                0 => file[at % len] = edit[5],
                // In the header, where every bit counts.
                1 => file[at % HEADER] ^= edit[5],
                // In a byte that is not zero: something is there.
                2 => file[self.used[at % self.used.len()]] ^= edit[5],
                // Three bytes together.
                3 => {
                    let at = at % (len - 3);
                    file[at..at + 3].copy_from_slice(&edit[5..]);
                }
                // One page over another, as a disk that mixes up its writes does.
                4 => {
                    let from = usize::from(u16::from_le_bytes([edit[5], edit[6]])) % pages * PAGE;
                    file.copy_within(from..from + PAGE, at % pages * PAGE);
                }
                // Everything from here on is gone; what is edited later is edited in zeros.
                _ => file[at % len..].fill(0),
            }
        }
        file[CURRENT] = file[CURRENT] & !CURRENT_BITS | self.bytes[CURRENT] & CURRENT_BITS;
        file
    }
}

// Which file, then either edits or, after another letter, four bytes that say how long the file still is, and edits.
fuzz_target!(init: LazyLock::force(&MADE), |data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else { return };
    let made = &*MADE;
    let whole = if kind.is_ascii_uppercase() { &made.killed } else { &made.closed };
    let bytes = match rest.split_first_chunk() {
        Some((cut, edits)) if kind.eq_ignore_ascii_case(&b'c') => {
            let mut file = whole.edited(edits);
            file.truncate(u32::from_le_bytes(*cut) as usize % (file.len() + 1));
            file
        }
        _ => whole.edited(rest),
    };
    if catch_unwind(|| open(made, &bytes)).is_err() {
        let said = PANIC.lock().map(|said| said.clone());
        eprintln!("{}", said.unwrap_or_default());
        std::process::abort();
    }
});

fn open(made: &Made, bytes: &[u8]) {
    let path = made.dir.path().join("damaged.redb");
    fs::write(&path, bytes).expect("the file can be written");
    match RedbStore::open(&path) {
        Ok(store) => {
            let found = store.snapshot().map(|found| found == made.snapshot);
            assert!(matches!(found, Ok(true)), "other documents: {found:?}");
            let found = store.audit(0, usize::MAX).map(|found| found == made.audit);
            assert!(matches!(found, Ok(true)), "another trail: {found:?}");
        }
        Err(OpenError::Refused { path: named, reason }) => {
            assert!(named == path && !reason.contains('\n'), "{reason}");
        }
        Err(other) => panic!("another error: {other}"),
    }
}
