//! One manager at a time, with times of a fraction.

use std::time::Instant;

use super::*;
use crate::domain::NodeAck;
use crate::store::Bookkeeping;

const TIMES: Times = Times {
    renew: Duration::from_millis(200),
    stale: Duration::from_millis(600),
    wait: Duration::from_millis(1500),
};

/// A manager with a state directory of its own.
fn open(rig: &Rig, name: &str) -> Result<MongoStore, OpenError> {
    MongoStore::open_with(&rig.config("leased"), &rig.dir.path().join(name), TIMES, false)
}

/// One that waits for nobody.
fn open_at_once(rig: &Rig, name: &str) -> Result<MongoStore, OpenError> {
    let times = Times { wait: Duration::ZERO, ..TIMES };
    MongoStore::open_with(&rig.config("leased"), &rig.dir.path().join(name), times, false)
}

/// Waits until the store stands so.
fn wait_for(store: &MongoStore, wanted: &Standing) {
    let mut standing = Store::standing(store).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { standing.wait_for(|now| now == wanted).await.map(drop) }).unwrap();
}

fn ack(generation: u64, version: u64) -> Batch {
    let ack = NodeAck { node: "n".into(), epoch: 1, generation, error: None, at_ms: 0 };
    Bookkeeping::new().ack(version, ack).into()
}

#[test]
fn a_second_manager_waits_and_names_the_first_who_does_not_notice() {
    let Some(rig) = Rig::start("a_second_manager_waits_and_names_the_first") else { return };
    let first = open(&rig, "a").unwrap();
    first.commit(&ack(1, 0)).unwrap();
    let begun = Instant::now();
    let refused = open(&rig, "b").map(drop).unwrap_err();
    assert!(begun.elapsed() >= TIMES.wait);
    assert!(matches!(&refused, OpenError::InUse { holder, .. } if holder == first.holder()), "{refused}");
    let same = open(&rig, "a").map(drop).unwrap_err();
    assert!(same.to_string().contains("another process here"), "{same}");
    wait_for(&first, &Standing::Holds);
    drop(first);
    let second = open_at_once(&rig, "b").expect("a lease that was given back is free at once");
    assert_eq!(second.snapshot().unwrap().documents.len(), 1);
}

#[test]
fn a_lease_that_is_not_renewed_is_taken_and_its_holder_writes_nothing_more() {
    let Some(rig) = Rig::start("a_lease_that_is_not_renewed_is_taken") else { return };
    let dead = open(&rig, "a").unwrap();
    let version = dead.commit(&ack(1, 0)).unwrap().version;
    let begun = Instant::now();
    // It goes on writing, and does not renew.
    dead.stop_renewing();
    let second = open(&rig, "b").unwrap();
    assert!(begun.elapsed() + TIMES.renew >= TIMES.stale);
    let refused = dead.commit(&ack(2, version)).unwrap_err();
    let CommitError::Store(StoreError::Taken { holder }) = refused else { panic!("{refused}") };
    assert_eq!(holder, second.holder());
    second.commit(&ack(3, version)).unwrap();
    drop(dead);
    // What is another's is not given back.
    wait_for(&second, &Standing::Holds);
    assert!(open_at_once(&rig, "c").is_err());
}

#[test]
fn one_that_was_killed_finds_its_own_lease_at_once() {
    let Some(rig) = Rig::start("one_that_was_killed_finds_its_own_lease_at_once") else { return };
    let killed = open(&rig, "a").unwrap();
    killed.commit(&ack(1, 0)).unwrap();
    killed.die();
    let again = open_at_once(&rig, "a").unwrap();
    assert_eq!(again.snapshot().unwrap().documents.len(), 1);
}

#[test]
fn a_holder_that_cannot_renew_says_so_and_goes_on_when_it_can() {
    let Some(rig) = Rig::start("a_holder_that_cannot_renew_says_so") else { return };
    let store = open(&rig, "a").unwrap();
    rig.server.pause();
    wait_for(&store, &Standing::Uncertain);
    rig.server.go_on();
    wait_for(&store, &Standing::Holds);
    store.commit(&ack(1, 0)).unwrap();
}
