//! One writer, readers who never wait, and the truth on disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::domain::Status;
use crate::service::testbed::{ADMIN, Bed, app};
use crate::store::redb::RedbStore;
use crate::store::{Committed, Document, Snapshot};

fn ack(node: &str, generation: u64) -> NodeAck {
    NodeAck { node: node.into(), epoch: 1, generation, error: None, at_ms: 5 }
}

#[test]
fn epochs_only_grow_and_survive_a_restart() {
    let bed = Bed::empty();
    assert_eq!(bed.service.next_epoch(0).unwrap(), 1);
    assert_eq!(bed.service.next_epoch(0).unwrap(), 2);
    assert_eq!(bed.service.next_epoch(40).unwrap(), 41);
    assert_eq!(bed.service.next_epoch(7).unwrap(), 42);
    let bed = bed.restart();
    assert_eq!(bed.service.next_epoch(0).unwrap(), 43);
    assert_eq!(bed.service.next_epoch(EPOCH_MAX - 1).unwrap(), EPOCH_MAX);
    for above in [0, EPOCH_MAX, u64::MAX] {
        assert!(matches!(bed.service.next_epoch(above), Err(ServiceError::NoMoreEpochs)));
    }
}

#[test]
fn the_last_answer_of_each_node_is_kept() {
    let bed = Bed::empty();
    bed.service.record_acks(&[]).unwrap();
    bed.service.record_acks(&[ack("b", 1), ack("a", 1), ack("b", 2)]).unwrap();
    bed.service.record_acks(&[ack("a", 3)]).unwrap();
    let expected = [ack("a", 3), ack("b", 2)];
    assert_eq!(bed.service.acks(), expected);
    assert_eq!(bed.restart().service.acks(), expected);
}

#[test]
fn a_change_is_seen_after_it_is_stored_and_not_before() {
    let bed = Bed::new();
    let mut changed = bed.service.changed();
    changed.mark_unchanged();
    let refused = bed.service.world.mutate::<()>(|_| Err(ServiceError::Denied));
    assert!(refused.is_err() && !changed.has_changed().unwrap());
    let nothing = bed.service.world.mutate(|_| Ok((None, 7)));
    assert!(nothing.unwrap() == 7 && !changed.has_changed().unwrap());
    bed.create(app("web")).unwrap();
    assert!(changed.has_changed().unwrap());
    let stored = State::from_snapshot(bed.store.snapshot().unwrap());
    assert_eq!(stored.strategies, bed.service.world.state().strategies);
}

#[test]
fn only_a_change_that_intents_follow_from_wakes_whoever_computes_them() {
    let bed = Bed::new();
    let mut changed = bed.service.changed();
    changed.mark_unchanged();
    bed.service.next_epoch(0).unwrap();
    bed.service.record_acks(&[ack("n1", 1)]).unwrap();
    bed.change_user(ADMIN, |user| user.updated_ms += 1);
    assert!(!changed.has_changed().unwrap());
    bed.create(app("web")).unwrap();
    assert!(changed.has_changed().unwrap());
    changed.mark_unchanged();
    let intent = bed.intents()[0].id;
    bed.service.delete_intents(&bed.admin(), "", &[intent], crate::service::Whose::Own).unwrap();
    assert!(changed.has_changed().unwrap());
}

#[test]
fn writers_take_turns_and_none_is_lost() {
    let bed = Bed::new();
    let grant = bed.admin();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    bed.service.create_strategy(&grant, "", app("web"), false).unwrap();
                }
            });
        }
    });
    assert_eq!(bed.service.world.state().strategies.len(), 20);
    assert_eq!(bed.restart().service.world.state().strategies.len(), 20);
}

/// A store that another process writes to, and that fails when told: the two things a file of our own never does.
struct Shared {
    inner: Arc<RedbStore>,
    strangers: AtomicUsize,
    fails: bool,
}

impl Store for Shared {
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.inner.snapshot()
    }

    fn commit(&self, batch: &Batch) -> Result<Committed, CommitError> {
        if self.fails {
            return Err(StoreError::Failed("input/output error".into()).into());
        }
        if self.strangers.load(Ordering::SeqCst) > 0 {
            self.strangers.fetch_sub(1, Ordering::SeqCst);
            let epoch = self.snapshot()?.documents.iter().find_map(|(document, version)| match document {
                Document::Epoch(epoch) => Some((*version, *epoch)),
                _ => None,
            });
            let (version, epoch) = epoch.unwrap_or_default();
            self.inner.commit(&Bookkeeping::new().epoch(version, epoch + 100).into())?;
        }
        self.inner.commit(batch)
    }

    fn audit_before(&self, _before: u64, _limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(Vec::new())
    }

    fn audit(&self, after: u64, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.inner.audit(after, limit)
    }
}

fn shared(bed: &Bed, strangers: usize, fails: bool) -> World {
    let store = Shared { inner: Arc::clone(&bed.store), strangers: strangers.into(), fails };
    World::open(Arc::new(store)).unwrap()
}

#[test]
fn a_change_is_computed_anew_when_someone_else_was_faster() {
    let bed = Bed::empty();
    assert_eq!(shared(&bed, 2, false).next_epoch(0).unwrap(), 201);
    let crowded = shared(&bed, usize::MAX, false);
    assert!(matches!(crowded.next_epoch(0), Err(ServiceError::Contended)));
    assert_eq!(crowded.state().epoch.as_ref().unwrap().value, 501, "it has seen what the others did");
    assert!(crowded.failure().is_none());
}

#[test]
fn a_failure_is_told_and_nothing_is_published() {
    let bed = Bed::new();
    let world = shared(&bed, 0, true);
    let changed = world.changed();
    let refused = world.next_epoch(0).unwrap_err();
    assert_eq!(refused.to_string(), "store: input/output error");
    assert_eq!(world.failure().unwrap().to_string(), "store: input/output error");
    assert!(changed.has_changed().unwrap(), "whoever watches wakes up");
    assert!(world.state().epoch.is_none());
    assert_eq!(world.state().user_named(ADMIN).unwrap().value.status, Status::Active, "reading goes on");
}
