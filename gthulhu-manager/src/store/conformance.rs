//! What every store must do, whatever it is made of. A store's own tests call [`all`] with a way to open it.

use std::sync::Barrier;
use std::thread;

use gthulhu_lib::id::Id;

use super::audit::{AuditRecord, Head, Origin};
use super::{AuditEntry, Batch, Bookkeeping, CommitError, Document, Key, Snapshot, Store};
use crate::domain::{Exclusion, NodeAck};

/// Runs the whole suite. `open` opens one and the same store, at first empty, each time it is called.
pub(super) fn all(open: &dyn Fn() -> Box<dyn Store>) {
    an_empty_store_has_nothing(&*open());
    commits_number_what_they_put(&*open());
    a_conflict_names_its_key_and_changes_nothing(&*open());
    absence_is_an_expectation_too(&*open());
    what_is_only_given_is_checked(&*open());
    one_batch_is_one_change(&*open());
    bookkeeping_leaves_no_record(&*open());
    audit_records_chain_within_and_across_batches(&*open());
    of_many_writers_one_wins_each_version(&*open());
    everything_survives_reopening(open);
}

fn an_empty_store_has_nothing(store: &dyn Store) {
    assert_eq!(store.snapshot().unwrap(), Snapshot::default());
    assert!(store.audit(0, 10).unwrap().is_empty());
}

fn commits_number_what_they_put(store: &dyn Store) {
    let first = store.commit(&creation(1, "a")).unwrap();
    let second = store.commit(&creation(2, "b")).unwrap();
    assert!(first.version > 0 && second.version > first.version);
    let replaced = store.commit(&replacement(1, "c", first.version)).unwrap();
    assert!(replaced.version > second.version);
    assert_eq!(stored(store, 1), Some((document(1, "c"), replaced.version)));
    assert_eq!(stored(store, 2), Some((document(2, "b"), second.version)), "it did not move");
}

fn a_conflict_names_its_key_and_changes_nothing(store: &dyn Store) {
    let before = everything(store);
    let stale = stored(store, 1).unwrap().1 - 1;
    let batch = creation(30, "new").replace(stale, document(1, "late"));
    assert_eq!(conflict(store, &batch), key(1));
    let deletion = Batch::audited(entry(1)).delete(stale, key(1));
    assert_eq!(conflict(store, &deletion), key(1));
    assert_eq!(everything(store), before, "neither document nor record");
}

fn absence_is_an_expectation_too(store: &dyn Store) {
    assert_eq!(conflict(store, &creation(1, "again")), key(1));
    assert_eq!(conflict(store, &replacement(40, "never was", 7)), key(40));
    // A document that came back is another one: no version of its predecessor fits.
    let first = store.commit(&creation(41, "first")).unwrap().version;
    store.commit(&Batch::audited(entry(41)).delete(first, key(41))).unwrap();
    assert_eq!(stored(store, 41), None);
    let second = store.commit(&creation(41, "second")).unwrap().version;
    assert!(second > first);
    assert_eq!(conflict(store, &replacement(41, "third", first)), key(41));
}

fn what_is_only_given_is_checked(store: &dyn Store) {
    let (_, version) = stored(store, 2).unwrap();
    store.commit(&creation(50, "resting on 2").given(version, key(2))).unwrap();
    assert_eq!(stored(store, 2).unwrap().1, version, "it did not move");
    assert_eq!(conflict(store, &creation(51, "").given(version - 1, key(2))), key(2));
    assert_eq!(conflict(store, &creation(51, "").given(0, key(2))), key(2));
    assert_eq!(conflict(store, &creation(51, "").given(3, key(52))), key(52));
    store.commit(&creation(51, "").given(0, key(52))).unwrap();
}

fn one_batch_is_one_change(store: &dyn Store) {
    let (_, version) = stored(store, 50).unwrap();
    let batch = creation(60, "x").create(document(61, "y")).delete(version, key(50)).and(entry(61));
    let committed = store.commit(&batch).unwrap();
    assert_eq!(stored(store, 60), Some((document(60, "x"), committed.version)));
    assert_eq!(stored(store, 61), Some((document(61, "y"), committed.version)));
    assert_eq!(stored(store, 50), None);
}

fn bookkeeping_leaves_no_record(store: &dyn Store) {
    let records = records(store).len();
    let ack = NodeAck { node: "n1".into(), epoch: 1, generation: 2, error: None, at_ms: 3 };
    store.commit(&Bookkeeping::new().epoch(0, 7).ack(0, ack.clone()).into()).unwrap();
    let kept = store.snapshot().unwrap().documents;
    assert!(kept.iter().any(|(document, _)| *document == Document::NodeAck(ack.clone())));
    assert!(kept.iter().any(|(document, _)| *document == Document::Epoch(7)));
    assert_eq!(self::records(store).len(), records);
}

fn audit_records_chain_within_and_across_batches(store: &dyn Store) {
    let chain = records(store);
    assert!(chain.iter().map(|record| record.seq).eq(1..=chain.len() as u64));
    let last = chain.last().unwrap();
    assert_eq!((last.verb.as_str(), last.object.as_str()), ("test", key(61).to_string().as_str()));
    let (after, some) = (last.seq - 2, store.audit(last.seq - 2, 1).unwrap());
    assert_eq!(serde_json::from_slice::<AuditRecord>(&some[0]).unwrap().seq, after + 1);
    assert_eq!((some.len(), store.audit(last.seq, 10).unwrap().len()), (1, 0));
    assert!(store.audit(u64::MAX, 10).unwrap().is_empty());
    let newest = store.audit_before(u64::MAX, 2).unwrap();
    let backwards: Vec<u64> =
        newest.iter().map(|bytes| serde_json::from_slice::<AuditRecord>(bytes).unwrap().seq).collect();
    assert_eq!(backwards, [last.seq, last.seq - 1]);
    assert_eq!(
        store.audit_before(3, 10).unwrap(),
        [&store.audit(1, 1).unwrap()[..], &store.audit(0, 1).unwrap()].concat()
    );
    assert!(store.audit_before(1, 10).unwrap().is_empty() && store.audit_before(0, 10).unwrap().is_empty());
}

fn of_many_writers_one_wins_each_version(store: &dyn Store) {
    const WRITERS: u8 = 4;
    let start = Barrier::new(WRITERS.into());
    let version = store.commit(&creation(70, "")).unwrap().version;
    let won: Vec<bool> = thread::scope(|scope| {
        let write = |writer: u8| {
            start.wait();
            store.commit(&replacement(70, &writer.to_string(), version)).is_ok()
        };
        let running: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winner = won.iter().position(|won| *won).unwrap();
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    assert_eq!(stored(store, 70).unwrap().0, document(70, &winner.to_string()));
}

fn everything_survives_reopening(open: &dyn Fn() -> Box<dyn Store>) {
    let before = everything(&*open());
    let store = open();
    assert_eq!(everything(&*store), before);
    let newest = before.0.documents.iter().map(|(_, version)| *version).max().unwrap();
    assert!(store.commit(&creation(80, "")).unwrap().version > newest);
    assert_eq!(records(&*store).len(), before.1.len() + 1, "the chain goes on");
}

fn everything(store: &dyn Store) -> (Snapshot, Vec<AuditRecord>) {
    (store.snapshot().unwrap(), records(store))
}

/// All audit records, their chain checked.
fn records(store: &dyn Store) -> Vec<AuditRecord> {
    let mut head = Head::start();
    store.audit(0, usize::MAX).unwrap().iter().map(|bytes| head.verify(bytes).unwrap()).collect()
}

fn stored(store: &dyn Store, n: u8) -> Option<(Document, u64)> {
    let documents = store.snapshot().unwrap().documents;
    documents.into_iter().find(|(document, _)| document.key() == key(n))
}

fn conflict(store: &dyn Store, batch: &Batch) -> Key {
    match store.commit(batch) {
        Err(CommitError::Conflict { key }) => key,
        other => panic!("not a conflict: {other:?}"),
    }
}

fn key(n: u8) -> Key {
    Key::Exclusion(id(n))
}

fn id(n: u8) -> Id {
    Id::from_bytes([n; 12])
}

fn document(n: u8, text: &str) -> Document {
    Document::Exclusion(Exclusion {
        id: id(n),
        strategy: id(0),
        pod_uid: text.into(),
        creator: id(9),
        at_ms: 1,
    })
}

fn entry(n: u8) -> AuditEntry {
    AuditEntry::created(&Origin::system(1), "test", &document(n, ""))
}

fn creation(n: u8, text: &str) -> Batch {
    Batch::audited(entry(n)).create(document(n, text))
}

fn replacement(n: u8, text: &str, version: u64) -> Batch {
    Batch::audited(entry(n)).replace(version, document(n, text))
}
