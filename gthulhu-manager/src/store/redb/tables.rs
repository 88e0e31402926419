//! What lies in the file.
//!
//! `meta`: `schema` (the version of this layout) and `commits` (how many there were). `documents`: a key as text ->
//! the document's version, 8 bytes little-endian, and then its JSON. `audit`: sequence number -> the record's bytes.

use std::fmt::Display;

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::super::audit::Head;
use super::super::{Batch, CommitError, Committed, Document, Key, Snapshot, StoreError};

/// The layout that this program writes.
pub(super) const SCHEMA: u64 = 1;

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const DOCUMENTS: TableDefinition<&str, &[u8]> = TableDefinition::new("documents");
const AUDIT: TableDefinition<u64, &[u8]> = TableDefinition::new("audit");

/// Why nothing could be read or written.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database says so; what was attempted does not matter to anyone who could still act.
    Database(redb::Error),
    /// What is there makes no sense.
    Damaged { object: String, reason: String },
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => Self::Failed(error.to_string()),
            Failure::Damaged { object, reason } => Self::Damaged { object, reason },
        }
    }
}

impl From<Failure> for CommitError {
    fn from(failure: Failure) -> Self {
        Self::Store(failure.into())
    }
}

pub(super) fn failed(error: impl Into<redb::Error>) -> Failure {
    Failure::Database(error.into())
}

fn damaged(object: &str, reason: impl Display) -> Failure {
    Failure::Damaged { object: object.to_string(), reason: reason.to_string() }
}

/// Makes the tables of an empty store.
pub(super) fn create(transaction: &WriteTransaction) -> Result<(), Failure> {
    let mut meta = transaction.open_table(META).map_err(failed)?;
    meta.insert("schema", SCHEMA).map_err(failed)?;
    meta.insert("commits", 0).map_err(failed)?;
    transaction.open_table(DOCUMENTS).map_err(failed)?;
    transaction.open_table(AUDIT).map_err(failed)?;
    Ok(())
}

/// The schema version that the file carries.
pub(super) fn schema(transaction: &ReadTransaction) -> Result<u64, Failure> {
    let meta = transaction.open_table(META).map_err(failed)?;
    let schema = meta.get("schema").map_err(failed)?;
    schema.map(|version| version.value()).ok_or_else(|| damaged("schema", "missing"))
}

/// Every document.
pub(super) fn documents(transaction: &ReadTransaction) -> Result<Snapshot, Failure> {
    let table = transaction.open_table(DOCUMENTS).map_err(failed)?;
    let mut snapshot = Snapshot::default();
    for row in table.iter().map_err(failed)? {
        let (key, value) = row.map_err(failed)?;
        snapshot.documents.push(decode(key.value(), value.value())?);
    }
    Ok(snapshot)
}

/// Audit records above `after`, oldest first.
pub(super) fn audit(
    transaction: &ReadTransaction,
    after: u64,
    limit: usize,
) -> Result<Vec<Vec<u8>>, Failure> {
    let table = transaction.open_table(AUDIT).map_err(failed)?;
    let rows = table.range(after.saturating_add(1)..).map_err(failed)?;
    rows.take(limit).map(|row| row.map(|(_, bytes)| bytes.value().to_vec()).map_err(failed)).collect()
}

/// Audit records below `before`, newest first.
pub(super) fn audit_before(
    transaction: &ReadTransaction,
    before: u64,
    limit: usize,
) -> Result<Vec<Vec<u8>>, Failure> {
    let table = transaction.open_table(AUDIT).map_err(failed)?;
    let rows = table.range(..before).map_err(failed)?.rev();
    rows.take(limit).map(|row| row.map(|(_, bytes)| bytes.value().to_vec()).map_err(failed)).collect()
}

/// Writes everything that a reader sees into the empty store of `to`.
pub(super) fn copy(from: &ReadTransaction, to: &WriteTransaction) -> Result<(), Failure> {
    let (rows, mut meta) = (from.open_table(META).map_err(failed)?, to.open_table(META).map_err(failed)?);
    for row in rows.iter().map_err(failed)? {
        let (key, value) = row.map_err(failed)?;
        meta.insert(key.value(), value.value()).map_err(failed)?;
    }
    let rows = from.open_table(DOCUMENTS).map_err(failed)?;
    let mut documents = to.open_table(DOCUMENTS).map_err(failed)?;
    for row in rows.iter().map_err(failed)? {
        let (key, value) = row.map_err(failed)?;
        documents.insert(key.value(), value.value()).map_err(failed)?;
    }
    let (rows, mut audit) = (from.open_table(AUDIT).map_err(failed)?, to.open_table(AUDIT).map_err(failed)?);
    for row in rows.iter().map_err(failed)? {
        let (seq, bytes) = row.map_err(failed)?;
        audit.insert(seq.value(), bytes.value()).map_err(failed)?;
    }
    Ok(())
}

/// Writes documents with these versions, whatever is there.
pub(super) fn put(transaction: &WriteTransaction, rows: &[(Document, u64)]) -> Result<(), Failure> {
    let mut documents = transaction.open_table(DOCUMENTS).map_err(failed)?;
    for (document, version) in rows {
        let row = encode(*version, document)?;
        documents.insert(document.key().to_string().as_str(), row.as_slice()).map_err(failed)?;
    }
    Ok(())
}

/// Removes documents.
pub(super) fn remove(transaction: &WriteTransaction, keys: &[Key]) -> Result<(), Failure> {
    let mut documents = transaction.open_table(DOCUMENTS).map_err(failed)?;
    for key in keys {
        documents.remove(key.to_string().as_str()).map_err(failed)?;
    }
    Ok(())
}

/// Writes audit records as they are; the first has the number `first`.
pub(super) fn append_as_is(
    transaction: &WriteTransaction,
    first: u64,
    records: &[Vec<u8>],
) -> Result<(), Failure> {
    let mut audit = transaction.open_table(AUDIT).map_err(failed)?;
    for (seq, bytes) in (first..).zip(records) {
        audit.insert(seq, bytes.as_slice()).map_err(failed)?;
    }
    Ok(())
}

/// No version up to `newest` is given again.
pub(super) fn count_from(transaction: &WriteTransaction, newest: u64) -> Result<(), Failure> {
    let mut meta = transaction.open_table(META).map_err(failed)?;
    meta.insert("commits", newest).map_err(failed)?;
    Ok(())
}

/// Applies a batch within the transaction. On an error the caller drops the transaction, and with it every change.
pub(super) fn apply(transaction: &WriteTransaction, batch: &Batch) -> Result<Committed, CommitError> {
    let mut documents = transaction.open_table(DOCUMENTS).map_err(failed)?;
    for (key, expected) in batch.expectations() {
        if version(&documents, key)? != *expected {
            return Err(CommitError::Conflict { key: key.clone() });
        }
    }
    let committed = Committed { version: count(transaction)? };
    for document in batch.puts() {
        let row = encode(committed.version, document)?;
        documents.insert(document.key().to_string().as_str(), row.as_slice()).map_err(failed)?;
    }
    for key in batch.deletes() {
        documents.remove(key.to_string().as_str()).map_err(failed)?;
    }
    append(transaction, batch)?;
    Ok(committed)
}

/// The number of this commit.
fn count(transaction: &WriteTransaction) -> Result<u64, Failure> {
    let mut meta = transaction.open_table(META).map_err(failed)?;
    let before = meta.get("commits").map_err(failed)?.map(|n| n.value());
    let number = before.ok_or_else(|| damaged("commits", "missing"))? + 1;
    meta.insert("commits", number).map_err(failed)?;
    Ok(number)
}

fn append(transaction: &WriteTransaction, batch: &Batch) -> Result<(), Failure> {
    let mut audit = transaction.open_table(AUDIT).map_err(failed)?;
    let last = audit.last().map_err(failed)?.map(|(_, bytes)| Head::of(bytes.value()));
    let mut head =
        last.transpose().map_err(|e| damaged("the last audit record", e))?.unwrap_or_else(Head::start);
    for entry in batch.entries() {
        let bytes = head.append(entry);
        audit.insert(head.seq(), bytes.as_slice()).map_err(failed)?;
    }
    Ok(())
}

/// The version stored under `key`; 0 when nothing is.
fn version(table: &Table<&'static str, &'static [u8]>, key: &Key) -> Result<u64, Failure> {
    let text = key.to_string();
    let row = table.get(text.as_str()).map_err(failed)?;
    row.map_or(Ok(0), |row| split(&text, row.value()).map(|(version, _)| version))
}

fn encode(version: u64, document: &Document) -> Result<Vec<u8>, Failure> {
    let mut row = version.to_le_bytes().to_vec();
    serde_json::to_writer(&mut row, document).map_err(|e| damaged(&document.key().to_string(), e))?;
    Ok(row)
}

fn decode(key: &str, row: &[u8]) -> Result<(Document, u64), Failure> {
    let (version, json) = split(key, row)?;
    let document: Document = serde_json::from_slice(json).map_err(|e| damaged(key, e))?;
    if document.key().to_string() != key {
        return Err(damaged(key, format!("holds {}", document.key())));
    }
    Ok((document, version))
}

fn split<'r>(key: &str, row: &'r [u8]) -> Result<(u64, &'r [u8]), Failure> {
    let (version, json) = row.split_first_chunk().ok_or_else(|| damaged(key, "too short"))?;
    Ok((u64::from_le_bytes(*version), json))
}
