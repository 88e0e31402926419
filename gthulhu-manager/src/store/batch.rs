//! A batch: the one change that a commit makes.
//!
//! The types carry the rule that no user, role, strategy or exclusion changes without an audit entry: the batch that
//! can touch them, [`Batch`], starts with an entry, and [`Bookkeeping`], which has none, can touch nothing else than
//! what the manager keeps about nodes.

use crate::domain::NodeAck;

use super::{AuditEntry, Document, Key};

/// One transaction: what must still hold, what is put and deleted, and what the audit trail says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    expect: Vec<(Key, u64)>,
    put: Vec<Document>,
    delete: Vec<Key>,
    audit: Vec<AuditEntry>,
}

impl Batch {
    /// A change that `entry` tells of.
    pub fn audited(entry: AuditEntry) -> Self {
        Self { expect: Vec::new(), put: Vec::new(), delete: Vec::new(), audit: vec![entry] }
    }

    /// A change that goes on from `before`, if there is one: for changes of any number of things.
    pub fn going_on(before: Option<Self>, entry: AuditEntry) -> Self {
        match before {
            None => Self::audited(entry),
            Some(batch) => batch.and(entry),
        }
    }

    /// Adds another entry, for a change that touches several things.
    #[must_use]
    pub fn and(mut self, entry: AuditEntry) -> Self {
        self.audit.push(entry);
        self
    }

    /// Stores a document that does not exist yet.
    #[must_use]
    pub fn create(self, document: Document) -> Self {
        self.replace(0, document)
    }

    /// Stores a document in place of its version `version`; 0 means that there is none.
    #[must_use]
    pub fn replace(mut self, version: u64, document: Document) -> Self {
        self.expect.push((document.key(), version));
        self.put.push(document);
        self
    }

    /// Deletes the version `version` of a document.
    #[must_use]
    pub fn delete(mut self, version: u64, key: Key) -> Self {
        self.expect.push((key.clone(), version));
        self.delete.push(key);
        self
    }

    /// Demands that a document which the change rests on, without touching it, still has this version.
    #[must_use]
    pub fn given(mut self, version: u64, key: Key) -> Self {
        self.expect.push((key, version));
        self
    }

    /// The versions that must still hold; 0 means absent.
    pub fn expectations(&self) -> &[(Key, u64)] {
        &self.expect
    }

    /// The documents to store.
    pub fn puts(&self) -> &[Document] {
        &self.put
    }

    /// The keys to delete.
    pub fn deletes(&self) -> &[Key] {
        &self.delete
    }

    /// What the audit trail says.
    pub fn entries(&self) -> &[AuditEntry] {
        &self.audit
    }
}

/// A change of what the manager keeps about nodes, which nobody asked for and no entry tells of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bookkeeping {
    expect: Vec<(Key, u64)>,
    put: Vec<Document>,
}

impl Bookkeeping {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores what a node answered, in place of version `version`.
    #[must_use]
    pub fn ack(mut self, version: u64, ack: NodeAck) -> Self {
        self.push(version, Document::NodeAck(ack));
        self
    }

    /// Moves the epoch counter, in place of version `version`.
    #[must_use]
    pub fn epoch(mut self, version: u64, epoch: u64) -> Self {
        self.push(version, Document::Epoch(epoch));
        self
    }

    fn push(&mut self, version: u64, document: Document) {
        self.expect.push((document.key(), version));
        self.put.push(document);
    }
}

impl From<Bookkeeping> for Batch {
    fn from(change: Bookkeeping) -> Self {
        Self { expect: change.expect, put: change.put, delete: Vec::new(), audit: Vec::new() }
    }
}
