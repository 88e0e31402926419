//! The store as one file, held by one process.
//!
//! Every commit is durable before it returns (two-phase, so that no crash can leave half of it), and after any failed
//! operation the store accepts nothing more: a sync that failed once may report success when tried again, without the
//! data ever having reached the disk. The way out is to restart, which reads what really is there.

mod copy;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod faults;
mod import;
#[cfg(test)]
mod model;
mod open;
#[cfg(test)]
mod powercuts;
#[cfg(test)]
mod random;
mod tables;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Database, ReadableDatabase};

pub use import::RedbImport;

use super::{Batch, CommitError, Committed, CopyError, OpenError, Snapshot, Store, StoreError};

/// A store in a redb file.
pub struct RedbStore {
    database: Database,
    /// Set by the first failure, never cleared.
    poisoned: AtomicBool,
}

impl RedbStore {
    /// Opens the store at `path`, mode 0600, or makes it, if nothing is there. The directory must exist. The whole
    /// file is checked: one that was cut, changed from outside or written by a newer program is refused.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        open::open(path).map(|database| Self { database, poisoned: AtomicBool::new(false) })
    }

    /// Opens a copy to look at it: the file is checked and not changed.
    pub fn look(path: &Path) -> Result<Self, OpenError> {
        copy::look(path).map(|database| Self { database, poisoned: AtomicBool::new(false) })
    }

    /// Runs one operation, unless an earlier one failed. A conflict is an answer, not a failure.
    fn guarded<T>(&self, run: impl FnOnce() -> Result<T, CommitError>) -> Result<T, CommitError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned.into());
        }
        let result = run();
        if let Err(CommitError::Store(_)) = result {
            self.poisoned.store(true, Ordering::Release);
        }
        result
    }

    /// The same for an operation that cannot conflict.
    fn reading<T>(&self, run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.guarded(|| run().map_err(CommitError::from)).map_err(|error| match error {
            CommitError::Store(error) => error,
            CommitError::Conflict { key } => StoreError::Failed(format!("{key}: a conflict while reading")),
        })
    }

    /// A transaction that is on stable storage once it is committed.
    fn durable_transaction(&self) -> Result<redb::WriteTransaction, tables::Failure> {
        let mut transaction = self.database.begin_write().map_err(tables::failed)?;
        transaction.set_durability(redb::Durability::Immediate).map_err(tables::failed)?;
        transaction.set_two_phase_commit(true);
        Ok(transaction)
    }

    fn write(&self, batch: &Batch) -> Result<Committed, CommitError> {
        let transaction = self.durable_transaction()?;
        let committed = tables::apply(&transaction, batch)?;
        transaction.commit().map_err(tables::failed)?;
        Ok(committed)
    }
}

impl Store for RedbStore {
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.reading(|| Ok(tables::documents(&self.database.begin_read().map_err(tables::failed)?)?))
    }

    fn commit(&self, batch: &Batch) -> Result<Committed, CommitError> {
        self.guarded(|| self.write(batch))
    }

    fn copy(&self, to: &Path) -> Result<(), CopyError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned.into());
        }
        let reading = self.database.begin_read().map_err(|error| StoreError::from(tables::failed(error)))?;
        copy::copy(&reading, to)
    }

    fn audit(&self, after: u64, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.reading(|| {
            Ok(tables::audit(&self.database.begin_read().map_err(tables::failed)?, after, limit)?)
        })
    }

    fn audit_before(&self, before: u64, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.reading(|| {
            Ok(tables::audit_before(&self.database.begin_read().map_err(tables::failed)?, before, limit)?)
        })
    }
}
