//! What a store must contain, computed without a store; and random changes to apply to both.

use std::collections::BTreeMap;

use gthulhu_lib::id::Id;
use gthulhu_lib::selector::Selector;

use super::disk::Disk;
use super::random::Random;
use super::*;
use crate::domain::{NodeAck, Strategy};
use crate::store::audit::{Head, Origin};
use crate::store::{AuditEntry, Bookkeeping, Document, Key};

/// Few enough that they are changed and deleted as often as made.
const STRATEGIES: u64 = 24;

/// A store in memory: documents by the text of their key, the trail, and the number of commits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    documents: BTreeMap<String, (Document, u64)>,
    audit: Vec<Vec<u8>>,
    head: Head,
    commits: u64,
}

impl Model {
    /// An empty store.
    pub(super) fn empty() -> Self {
        Self { documents: BTreeMap::new(), audit: Vec::new(), head: Head::start(), commits: 0 }
    }

    /// The model after `batch`; `None` when the batch conflicts.
    pub(super) fn after(&self, batch: &Batch) -> Option<Self> {
        let version = |key: &Key| self.documents.get(&key.to_string()).map_or(0, |(_, version)| *version);
        if batch.expectations().iter().any(|(key, expected)| version(key) != *expected) {
            return None;
        }
        let mut next = self.clone();
        next.commits += 1;
        for document in batch.puts() {
            next.documents.insert(document.key().to_string(), (document.clone(), next.commits));
        }
        for key in batch.deletes() {
            next.documents.remove(&key.to_string());
        }
        for entry in batch.entries() {
            next.audit.push(next.head.append(entry));
        }
        Some(next)
    }

    /// Whether the store has exactly this, trail and all.
    pub(super) fn is_in(&self, store: &RedbStore) -> bool {
        let documents = store.snapshot().unwrap().documents;
        documents.iter().eq(self.documents.values()) && store.audit(0, usize::MAX).unwrap() == self.audit
    }

    /// A change of one to three strategies, or of what is kept about a node; one in twenty conflicts.
    pub(super) fn random_batch(&self, random: &mut Random) -> Batch {
        let stale = u64::from(random.below(20) == 0);
        if random.below(5) == 0 {
            let node = format!("n{}", random.below(4));
            let version = self.version(&Key::NodeAck(node.clone())) + stale;
            let ack = NodeAck { node, epoch: 1, generation: random.next(), error: None, at_ms: 0 };
            return Bookkeeping::new().ack(version, ack).into();
        }
        let first = random.below(STRATEGIES);
        let mut batch = self.change(None, first, stale, random);
        for n in 0..random.below(3) {
            batch = self.change(Some(batch), (first + n + 1) % STRATEGIES, 0, random);
        }
        batch
    }

    fn version(&self, key: &Key) -> u64 {
        self.documents.get(&key.to_string()).map_or(0, |(_, version)| *version)
    }

    /// Makes, replaces or deletes strategy `n`.
    fn change(&self, batch: Option<Batch>, n: u64, stale: u64, random: &mut Random) -> Batch {
        let origin = Origin::system(i64::try_from(random.below(1 << 40)).unwrap());
        let document = strategy(n, random);
        let key = document.key();
        let version = self.version(&key) + stale;
        let with = |entry| match batch {
            Some(batch) => batch.and(entry),
            None => Batch::audited(entry),
        };
        match self.documents.get(&key.to_string()) {
            None => {
                with(AuditEntry::created(&origin, "strategy.create", &document)).replace(version, document)
            }
            Some((before, _)) if random.below(3) == 0 => {
                with(AuditEntry::deleted(&origin, "strategy.delete", before)).delete(version, key)
            }
            Some((before, _)) => {
                let entry = AuditEntry::changed(&origin, "strategy.update", before, &document);
                with(entry).replace(version, document)
            }
        }
    }
}

/// A strategy of any size from a hundred bytes to several pages.
fn strategy(n: u64, random: &mut Random) -> Document {
    let longest = [40, 400, 4000, 20_000][[0, 0, 0, 0, 1, 1, 1, 2, 2, 3][random.index(10)]];
    let id = |n: u64| Id::from_bytes(std::array::from_fn(|i| n.to_le_bytes()[i % 8]));
    let text = format!("{:016x}", random.next()).repeat(random.index(longest) / 16 + 1);
    Document::Strategy(Strategy {
        id: id(n),
        creator: id(99),
        updater: id(99),
        created_ms: 1,
        updated_ms: 2,
        strategy_namespace: text,
        label_selectors: vec![Selector { key: "app".into(), value: "web".into() }],
        k8s_namespace: vec!["default".into()],
        command_regex: String::new(),
        priority: 3,
        execution_time: 0,
    })
}

/// A new store on a disk that has it all.
pub(super) fn fresh() -> Disk {
    let disk = Disk::new(Vec::new());
    open::make(disk.clone()).unwrap();
    Disk::new(disk.content())
}

/// Opens the store on this disk, as [`RedbStore::open`] does with a file.
pub(super) fn open_disk(disk: &Disk) -> Result<RedbStore, OpenError> {
    let database = open::open_on(Path::new("disk"), disk.clone())?;
    Ok(RedbStore { database, poisoned: AtomicBool::new(false) })
}
