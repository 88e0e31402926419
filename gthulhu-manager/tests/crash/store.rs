//! The store's file as a killed manager left it, read without a manager: from a copy, so that nothing is repaired.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gthulhu_manager::store::audit::{AuditRecord, Head};
use gthulhu_manager::store::redb::RedbStore;
use gthulhu_manager::store::{Document, Store};
use serde_json::Value;

/// The audit trail so far, followed record by record.
pub(crate) struct Trail {
    head: Head,
    /// What the trail says there is: the newest `after` of each document, by its key.
    pub(crate) says: BTreeMap<String, Value>,
}

/// What one look at the file found.
pub(crate) struct Found {
    /// The strategies: the text that its writer gave each, by id.
    pub(crate) strategies: BTreeMap<String, String>,
    /// The records that came since the last look.
    pub(crate) records: Vec<AuditRecord>,
    /// Documents that are not what the trail says, and records that do not fit the ones before.
    pub(crate) torn: Vec<String>,
}

impl Trail {
    pub(crate) fn start() -> Self {
        Self { head: Head::start(), says: BTreeMap::new() }
    }

    /// Reads the file at `path`. What the chain had at the last look must still be its beginning.
    pub(crate) fn look(&mut self, path: &Path) -> Found {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("copy.redb");
        fs::copy(path, &copy).unwrap();
        let store = RedbStore::open(&copy).unwrap_or_else(|error| panic!("it does not open: {error}"));
        self.look_at(&store)
    }

    /// The same in a store that is open.
    pub(crate) fn look_at(&mut self, store: &dyn Store) -> Found {
        let mut found = Found { strategies: BTreeMap::new(), records: Vec::new(), torn: Vec::new() };
        for bytes in store.audit(self.head.seq(), usize::MAX).unwrap() {
            let record = self.head.verify(&bytes).unwrap_or_else(|broken| panic!("{broken}"));
            self.follow(&record, &mut found.torn);
            found.records.push(record);
        }
        let mut audited = BTreeMap::new();
        for (document, _) in store.snapshot().unwrap().documents {
            if let Document::Strategy(strategy) = &document {
                found.strategies.insert(strategy.id.to_string(), strategy.strategy_namespace.clone());
            }
            if !matches!(document, Document::NodeAck(_) | Document::Epoch(_)) {
                audited.insert(document.key().to_string(), document.public());
            }
        }
        for key in audited.keys().chain(self.says.keys()) {
            if audited.get(key) != self.says.get(key) {
                found.torn.push(format!("{key} is not what the trail says"));
            }
        }
        found
    }

    fn follow(&mut self, record: &AuditRecord, torn: &mut Vec<String>) {
        if self.says.get(&record.object) != record.before.as_ref() {
            torn.push(format!("record {} begins where {} was not", record.seq, record.object));
        }
        match &record.after {
            Some(after) => self.says.insert(record.object.clone(), after.clone()),
            None => self.says.remove(&record.object),
        };
    }
}
