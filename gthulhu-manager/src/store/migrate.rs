//! From one store into another: documents with their versions, and the audit trail byte for byte.
//!
//! What is in the target already is kept where it is right, so that a migration that was interrupted is simply run again.
//! No manager opens a target before everything in it was compared with the source.

use std::collections::BTreeMap;

use super::audit::Head;
use super::{Document, Key, Store, StoreError};

/// How many documents or records are written at a time.
const CHUNK: usize = 100;

/// A store that is being filled. Everything may be done twice.
pub trait Target {
    /// What it holds so far.
    fn store(&self) -> &dyn Store;

    /// Writes documents with these versions, in place of what is there.
    fn put(&self, documents: &[(Document, u64)]) -> Result<(), StoreError>;

    /// Removes documents.
    fn remove(&self, keys: &[Key]) -> Result<(), StoreError>;

    /// Writes audit records; the first has the number `first`.
    fn append(&self, first: u64, records: &[Vec<u8>]) -> Result<(), StoreError>;

    /// Makes it a store that a manager can open. No version of it is above `newest`, and its trail ends at `head`.
    fn finish(self: Box<Self>, newest: u64, head: &Head) -> Result<(), StoreError>;
}

/// What was migrated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// How many documents.
    pub documents: usize,
    /// The end of the audit trail.
    pub head: Head,
}

/// Why it was not.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// One of the two failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The source's audit trail is broken.
    #[error("the source: {0}")]
    Broken(#[from] super::audit::Broken),
    /// The target holds the records of another store.
    #[error("the target holds the audit record {0} of another store")]
    Another(u64),
    /// What was read back is not what was written.
    #[error("the target differs from the source: {0}")]
    Differs(String),
    /// The source has documents that cannot be read, and which would be lost.
    #[error("the source has {0} documents that make no sense: the log names them")]
    Refused(usize),
}

/// Fills `target` from `source` and compares them. `progress` is told after each step: what, how many, of how many.
pub fn migrate(
    source: &dyn Store,
    target: Box<dyn Target>,
    mut progress: impl FnMut(&str, usize, usize),
) -> Result<Migrated, MigrateError> {
    let wanted: BTreeMap<String, (Document, u64)> = by_key(source)?;
    if source.refused() > 0 {
        return Err(MigrateError::Refused(source.refused()));
    }
    let found = by_key(target.store())?;
    let extra: Vec<Key> = found
        .iter()
        .filter(|(key, _)| !wanted.contains_key(*key))
        .map(|(_, (document, _))| document.key())
        .collect();
    target.remove(&extra)?;
    let missing: Vec<_> = wanted
        .iter()
        .filter(|(key, row)| found.get(*key) != Some(*row))
        .map(|(_, row)| row.clone())
        .collect();
    let mut done = wanted.len() - missing.len();
    progress("documents", done, wanted.len());
    for chunk in missing.chunks(CHUNK) {
        target.put(chunk)?;
        done += chunk.len();
        progress("documents", done, wanted.len());
    }
    let head = trail(source, &*target, &mut progress)?;
    compare(source, &*target, &wanted)?;
    progress("verified", wanted.len(), wanted.len());
    let newest = wanted.values().map(|(_, version)| *version).max().unwrap_or_default();
    target.finish(newest, &head)?;
    Ok(Migrated { documents: wanted.len(), head })
}

fn by_key(store: &dyn Store) -> Result<BTreeMap<String, (Document, u64)>, StoreError> {
    let rows = store.snapshot()?.documents.into_iter();
    Ok(rows.map(|(document, version)| (document.key().to_string(), (document, version))).collect())
}

/// Continues the target's trail to the end of the source's.
fn trail(
    source: &dyn Store,
    target: &dyn Target,
    progress: &mut impl FnMut(&str, usize, usize),
) -> Result<Head, MigrateError> {
    let length = number(source.audit_before(u64::MAX, 1)?.first());
    let held = number(target.store().audit_before(u64::MAX, 1)?.first());
    if held > length {
        return Err(MigrateError::Another(held));
    }
    let mut head = Head::start();
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    while head.seq() < length {
        let from = head.seq();
        let records = source.audit(from, CHUNK)?;
        for bytes in &records {
            head.verify(bytes)?;
        }
        if head.seq() <= held {
            continue;
        }
        target.append(from + 1, &records)?;
        progress("audit records", size(head.seq()), size(length));
    }
    Ok(head)
}

fn number(record: Option<&Vec<u8>>) -> u64 {
    record.and_then(|bytes| Head::of(bytes).ok()).map_or(0, |head| head.seq())
}

/// Reads everything back.
fn compare(
    source: &dyn Store,
    target: &dyn Target,
    wanted: &BTreeMap<String, (Document, u64)>,
) -> Result<(), MigrateError> {
    let found = by_key(target.store())?;
    let other = wanted.iter().find(|(key, row)| found.get(*key) != Some(*row)).map(|(key, _)| key.clone());
    let extra = found.keys().find(|key| !wanted.contains_key(*key)).cloned();
    if let Some(key) = other.or(extra) {
        return Err(MigrateError::Differs(key));
    }
    let mut after = 0;
    loop {
        let (ours, theirs) = (source.audit(after, CHUNK)?, target.store().audit(after, CHUNK)?);
        if ours != theirs {
            let same = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
            return Err(MigrateError::Differs(format!("audit record {}", after + 1 + same as u64)));
        }
        if ours.is_empty() {
            return Ok(());
        }
        after += ours.len() as u64;
    }
}
