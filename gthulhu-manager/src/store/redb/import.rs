//! A file that is being filled from another store. It lies beside its place until it is whole.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::audit::Head;
use super::super::migrate::Target;
use super::super::{Document, Key, OpenError, Store, StoreError};
use super::{RedbStore, tables};

/// The file beside the one that it will be.
pub struct RedbImport {
    store: RedbStore,
    fresh: PathBuf,
    path: PathBuf,
}

impl RedbImport {
    /// Begins to fill the store at `path`, where there must be none, or goes on with it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if path.exists() {
            let reason = "there is a store already; move it away first".to_owned();
            return Err(OpenError::Refused { path: path.to_owned(), reason });
        }
        let mut fresh = path.to_owned().into_os_string();
        fresh.push(".migrating");
        let fresh = PathBuf::from(fresh);
        Ok(Self { store: RedbStore::open(&fresh)?, fresh, path: path.to_owned() })
    }

    fn write(
        &self,
        change: impl FnOnce(&redb::WriteTransaction) -> Result<(), tables::Failure>,
    ) -> Result<(), StoreError> {
        let transaction = self.store.durable_transaction()?;
        change(&transaction)?;
        Ok(transaction.commit().map_err(tables::failed)?)
    }
}

impl Target for RedbImport {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    fn put(&self, documents: &[(Document, u64)]) -> Result<(), StoreError> {
        self.write(|transaction| tables::put(transaction, documents))
    }

    fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.write(|transaction| tables::remove(transaction, keys))
    }

    fn append(&self, first: u64, records: &[Vec<u8>]) -> Result<(), StoreError> {
        self.write(|transaction| tables::append_as_is(transaction, first, records))
    }

    fn finish(self: Box<Self>, newest: u64, _head: &Head) -> Result<(), StoreError> {
        self.write(|transaction| tables::count_from(transaction, newest))?;
        let Self { store, fresh, path } = *self;
        drop(store);
        let failed = |error: String| StoreError::Failed(format!("{}: {error}", path.display()));
        fs::rename(&fresh, &path).map_err(|error| failed(error.to_string()))?;
        let dir = path.parent().unwrap_or(Path::new("."));
        gthulhu_http::files::sync_dir(dir).map_err(|error| failed(error.to_string()))
    }
}
