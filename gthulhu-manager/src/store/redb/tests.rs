//! The file itself: who may open it, which files are refused, and what happens after a failure.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ::redb::TableDefinition;
use tempfile::TempDir;

use super::*;
use crate::domain::NodeAck;
use crate::store::{Bookkeeping, Document, conformance};

fn ack(generation: u64) -> Batch {
    let ack = NodeAck { node: "n".into(), epoch: 1, generation, error: None, at_ms: 0 };
    Bookkeeping::new().ack(0, ack).into()
}

/// A store with a hundred documents, closed again.
fn filled() -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.redb");
    let store = RedbStore::open(&path).unwrap();
    let acks = (0..100).fold(Bookkeeping::new(), |batch, n| {
        batch.ack(0, NodeAck { node: format!("n{n}"), epoch: 1, generation: n, error: None, at_ms: 0 })
    });
    store.commit(&acks.into()).unwrap();
    drop(store);
    (dir, path)
}

fn refusal(path: &Path) -> String {
    match RedbStore::open(path) {
        Err(error @ OpenError::Refused { .. }) => error.to_string(),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn it_conforms() {
    let dir = tempfile::tempdir().unwrap();
    conformance::all(&|| Box::new(RedbStore::open(&dir.path().join("s.redb")).unwrap()));
}

#[test]
fn the_file_is_private_and_alone_in_its_directory() {
    let (dir, path) = filled();
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    drop(RedbStore::open(&path).unwrap());
    assert_eq!(mode(), 0o600, "a volume that widened it");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left of its making");
}

#[test]
fn a_second_opener_is_told_so() {
    let (_dir, path) = filled();
    let first = RedbStore::open(&path).unwrap();
    let second = RedbStore::open(&path).map(drop).unwrap_err();
    assert!(matches!(second, OpenError::InUse(_)), "{second}");
    assert_eq!(second.to_string(), format!("{}: in use by another process", path.display()));
    drop(first);
    assert!(RedbStore::open(&path).is_ok());
}

#[test]
fn a_missing_directory_is_an_error_of_the_system() {
    let dir = tempfile::tempdir().unwrap();
    let error = RedbStore::open(&dir.path().join("no/s.redb")).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
    let error = RedbStore::open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. } | OpenError::Refused { .. }), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let (_dir, path) = filled();
    let whole = fs::read(&path).unwrap();
    for sixteenth in 0..16 {
        fs::write(&path, &whole[..whole.len() * sixteenth / 16]).unwrap();
        assert!(refusal(&path).starts_with(&format!("{}: refused: ", path.display())));
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    refusal(&path);
    fs::write(&path, &whole).unwrap();
    assert_eq!(RedbStore::open(&path).unwrap().snapshot().unwrap().documents.len(), 100);
}

#[test]
fn a_changed_bit_is_refused_or_harmless() {
    let (_dir, path) = filled();
    let expected = RedbStore::open(&path).unwrap().snapshot().unwrap();
    let whole = fs::read(&path).unwrap();
    // Every page, at an offset that wanders through it.
    for (page, start) in (0..whole.len()).step_by(4096).enumerate() {
        let mut changed = whole.clone();
        changed[start + (page * 97) % 512] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        if let Ok(store) = RedbStore::open(&path) {
            assert_eq!(store.snapshot().unwrap(), expected, "page {page}");
        }
    }
}

#[test]
fn a_foreign_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.redb");
    let zeros = vec![0; 1 << 16];
    for content in [&b""[..], b"{}", &zeros, b"not a store, but longer than any header could be"] {
        fs::write(&path, content).unwrap();
        refusal(&path);
        assert_eq!(fs::read(&path).unwrap(), content, "and left as it was");
    }
    fs::remove_file(&path).unwrap();
    drop(Database::create(&path).unwrap());
    assert!(refusal(&path).contains("meta"), "a database, but not ours");
}

#[test]
fn a_newer_schema_is_refused() {
    let (_dir, path) = filled();
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
    transaction.open_table(meta).unwrap().insert("schema", tables::SCHEMA + 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = RedbStore::open(&path).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn a_row_that_makes_no_sense_is_refused_by_name() {
    let (_dir, path) = filled();
    for row in [&b"short"[..], b"\x01\0\0\0\0\0\0\0{}", b"\x01\0\0\0\0\0\0\0{\"epoch\":1}"] {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        let documents: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("documents");
        transaction.open_table(documents).unwrap().insert("node/n7", row).unwrap();
        transaction.commit().unwrap();
        drop(database);
        assert!(refusal(&path).contains("node/n7 is damaged"));
    }
}

#[test]
fn after_a_failure_nothing_is_accepted() {
    let (_dir, path) = filled();
    let store = RedbStore::open(&path).unwrap();
    let failed = store.guarded::<()>(|| Err(StoreError::Failed("the disk is gone".into()).into()));
    assert!(matches!(failed, Err(CommitError::Store(StoreError::Failed(_)))));
    assert!(matches!(store.commit(&ack(1)), Err(CommitError::Store(StoreError::Poisoned))));
    assert!(matches!(store.snapshot(), Err(StoreError::Poisoned)));
    assert!(matches!(store.audit(0, 1), Err(StoreError::Poisoned)));
    drop(store);
    assert_eq!(RedbStore::open(&path).unwrap().snapshot().unwrap().documents.len(), 100);
}

#[test]
fn a_conflict_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&dir.path().join("s.redb")).unwrap();
    store.commit(&ack(1)).unwrap();
    assert!(matches!(store.commit(&ack(2)), Err(CommitError::Conflict { .. })));
    let documents = store.snapshot().unwrap().documents;
    assert!(matches!(&documents[..], [(Document::NodeAck(ack), 1)] if ack.generation == 1));
}
