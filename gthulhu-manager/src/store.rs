//! The store: what survives a restart.
//!
//! Two operations carry everything: [`Store::snapshot`] reads all documents at start, [`Store::commit`] applies one
//! [`Batch`] as one transaction. There is no operation per entity. Each document has a version, the number of the
//! commit that wrote it; a batch names the versions it was computed from and is refused whole when one has moved.
//! Audit records are written in the same transaction as the change they tell of.

pub mod audit;
mod batch;
#[cfg(test)]
mod conformance;
mod document;
pub mod migrate;
#[cfg(feature = "mongodb")]
pub mod mongo;
pub mod redb;
mod verify;

use std::path::{Path, PathBuf};

use tokio::sync::watch;

pub use audit::{AuditEntry, AuditRecord};
pub use batch::{Batch, Bookkeeping};
pub use document::{Document, Key};
pub use verify::{TrailError, verify_trail};

/// Where the manager's documents live.
pub trait Store: Send + Sync {
    /// All documents with their versions, as of one moment.
    fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Applies the batch entirely or not at all. When this returns `Ok`, the change is on stable storage.
    fn commit(&self, batch: &Batch) -> Result<Committed, CommitError>;

    /// Up to `limit` audit records with a sequence number above `after`, oldest first, as their stored bytes.
    fn audit(&self, after: u64, limit: usize) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Up to `limit` audit records with a sequence number below `before`, newest first, as their stored bytes.
    fn audit_before(&self, before: u64, limit: usize) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Writes everything, as of one moment, into a new file: a copy that can be put in the place of this store. The
    /// store goes on meanwhile, and whether or not this succeeds.
    fn copy(&self, _to: &Path) -> Result<(), CopyError> {
        Err(CopyError::Elsewhere)
    }

    /// Whether this process is the one that may write and push, to be watched. `None`: nobody else ever can, because
    /// the store is open here.
    fn standing(&self) -> Option<watch::Receiver<Standing>> {
        None
    }

    /// Documents that are stored and make no sense, at the last look: nobody is told of them but whoever asks here.
    fn refused(&self) -> usize {
        0
    }

    /// What else there is to know, for whoever asks how the store is. Empty when there is nothing.
    fn remarks(&self) -> String {
        String::new()
    }
}

/// Is this process the one that writes and pushes?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Holds,
    /// It was, and cannot tell now: it must not push until it can.
    Uncertain,
    /// Another one is.
    Lost {
        /// Which.
        holder: String,
    },
}

/// All documents as of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Each document and its version, in the order of their keys.
    pub documents: Vec<(Document, u64)>,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The version of every document the batch put. Greater than that of any commit before.
    pub version: u64,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The document has another version than the batch was computed from.
    #[error("{key} was changed by someone else")]
    Conflict {
        /// The first such document.
        key: Key,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// No copy was made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The copy could not be written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store could not be read, or the copy not written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Copies of this store are made with the tools of its server.
    #[error("copies of this store are made with the tools of its server")]
    Elsewhere,
}

/// The store failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Reading or writing failed. Whether a commit took place is unknown until the store is opened again, so it
    /// accepts nothing more.
    #[error("store: {0}")]
    Failed(String),
    /// An earlier operation failed; see [`StoreError::Failed`].
    #[error("store: refused after an earlier failure, restart to recover")]
    Poisoned,
    /// What is stored makes no sense.
    #[error("store: {object} is damaged: {reason}")]
    Damaged {
        /// The document or record.
        object: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store cannot be reached now, and may be again. Whether a commit took place is found out before the next
    /// one.
    #[error("store: {0}")]
    Unavailable(String),
    /// The store does not take this change, however often it is tried. Nothing was written.
    #[error("store: refused: {0}")]
    Refused(String),
    /// Another process has taken the store over.
    #[error("store: taken over by {holder}")]
    Taken {
        /// Which.
        holder: String,
    },
}

/// The store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{}: in use by another process", .0.display())]
    InUse(PathBuf),
    /// A newer program wrote it.
    #[error("{}: written by a newer version (schema {found}, this program knows {known})", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u64,
        /// The newest schema version this program knows.
        known: u64,
    },
    /// The file is not a store, or is damaged.
    #[error("{}: refused: {reason}", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file could not be reached.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
