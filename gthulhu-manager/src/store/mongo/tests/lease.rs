//! One manager at a time, with times of a fraction.

use std::time::Instant;

use mongodb::bson::{Document as Fields, doc};

use super::script::{Fault, Scripted};
use super::*;
use crate::domain::NodeAck;
use crate::store::Bookkeeping;

/// What is waited for comes after a fraction of a second. What only bounds a wait is out of reach of a slow machine.
const TIMES: Times = Times {
    renew: Duration::from_millis(200),
    stale: Duration::from_millis(600),
    wait: AGES,
    patience: Duration::from_secs(1),
    orphans: AGES,
    hello: AGES,
    farewell: AGES,
};
const AGES: Duration = Duration::from_secs(300);

/// A manager with a state directory of its own.
fn open_with(rig: &Rig, name: &str, times: Times) -> Result<MongoStore, OpenError> {
    MongoStore::open_with(&rig.config("leased"), &rig.dir.path().join(name), times, false)
}

fn open(rig: &Rig, name: &str) -> MongoStore {
    open_with(rig, name, TIMES).unwrap()
}

/// One that waits for nobody, and takes nothing that is somebody's.
fn open_at_once(rig: &Rig, name: &str) -> Result<MongoStore, OpenError> {
    open_with(rig, name, Times { wait: Duration::ZERO, stale: AGES, ..TIMES })
}

/// Waits until the store stands so. What has lost it never does again.
fn wait_for(store: &MongoStore, wanted: &Standing) {
    let mut standing = Store::standing(store).unwrap();
    let settled = |now: &Standing| now == wanted || matches!(now, Standing::Lost { .. });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(async { standing.wait_for(settled).await.map(|now| now.clone()) }).unwrap();
    assert_eq!(&found, wanted);
}

fn ack(generation: u64, version: u64) -> Batch {
    let ack = NodeAck { node: "n".into(), epoch: 1, generation, error: None, at_ms: 0 };
    Bookkeeping::new().ack(version, ack).into()
}

#[test]
fn a_second_manager_waits_and_names_the_first_who_does_not_notice() {
    let Some(rig) = Rig::start("a_second_manager_waits_and_names_the_first") else { return };
    let first = open(&rig, "a");
    first.commit(&ack(1, 0)).unwrap();
    let (begun, wait) = (Instant::now(), Duration::from_millis(1500));
    // However slow the first is, its lease is not stale.
    let refused = open_with(&rig, "b", Times { wait, stale: AGES, ..TIMES }).map(drop).unwrap_err();
    assert!(begun.elapsed() >= wait);
    assert!(matches!(&refused, OpenError::InUse { holder, .. } if holder == first.holder()), "{refused}");
    let same = open_at_once(&rig, "a").map(drop).unwrap_err();
    assert!(same.to_string().contains("another process here"), "{same}");
    wait_for(&first, &Standing::Holds);
    drop(first);
    let second = open_at_once(&rig, "b").expect("a lease that was given back is free at once");
    assert_eq!(second.snapshot().unwrap().documents.len(), 1);
}

#[test]
fn a_lease_that_is_not_renewed_is_taken_and_its_holder_writes_nothing_more() {
    let Some(rig) = Rig::start("a_lease_that_is_not_renewed_is_taken") else { return };
    let dead = open(&rig, "a");
    let version = dead.commit(&ack(1, 0)).unwrap().version;
    let begun = Instant::now();
    // It goes on writing, and does not renew.
    dead.stop_renewing();
    let second = open(&rig, "b");
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
    let killed = open(&rig, "a");
    killed.commit(&ack(1, 0)).unwrap();
    killed.die();
    let again = open_at_once(&rig, "a").unwrap();
    assert_eq!(again.snapshot().unwrap().documents.len(), 1);
}

#[test]
fn a_holder_that_cannot_renew_says_so_and_goes_on_when_it_can() {
    let Some(rig) = Rig::start("a_holder_that_cannot_renew_says_so") else { return };
    let store = open(&rig, "a");
    rig.server.pause();
    wait_for(&store, &Standing::Uncertain);
    rig.server.go_on();
    wait_for(&store, &Standing::Holds);
    store.commit(&ack(1, 0)).unwrap();
}

/// Waits for so many more renewals, or for the end of its standing.
fn wait_for_renewals(server: &Scripted, store: &MongoStore, wanted: usize) {
    let renewal = |command: &&Fields| {
        let update =
            command.get_array("updates").ok().and_then(|list| list[0].as_document()?.get_document("u").ok());
        update.is_some_and(|update| {
            update.get_document("$set").is_ok_and(|set| set.len() == 1 && set.contains_key("renewed"))
        })
    };
    let count = || server.scene().log.iter().filter(renewal).count();
    let from = count();
    let standing = Store::standing(store).unwrap();
    while count() < from + wanted && !matches!(*standing.borrow(), Standing::Lost { .. }) {
        std::thread::yield_now();
    }
}

#[test]
fn a_renewal_that_met_nothing_is_the_end_only_if_the_lease_is_anothers() {
    let server = Scripted::set();
    let store = server.open_with(TIMES);
    server.fail("update", STATE, Fault::Miss);
    // The third is sent only by one who has seen what came of the second.
    wait_for_renewals(&server, &store, 3);
    wait_for(&store, &Standing::Holds);
    server.fail("update", STATE, Fault::Miss);
    // What the lease says is not known: the driver asks twice.
    server.fail("find", STATE, Fault::CutBefore);
    server.fail("find", STATE, Fault::CutBefore);
    wait_for_renewals(&server, &store, 3);
    wait_for(&store, &Standing::Holds);
    assert!(server.scene().faults.is_empty(), "all of it happened");
    for row in server.scene().rows.get_mut(STATE).unwrap() {
        if row.get_str("_id").is_ok_and(|id| id == "pusher") {
            row.extend(doc! { "holder": "another", "epoch": 99_i64 });
        }
    }
    wait_for(&store, &Standing::Lost { holder: "another".into() });
}

#[test]
fn what_a_killed_manager_left_in_a_session_that_the_lease_names_is_ended() {
    let Some(rig) = Rig::start("what_a_killed_manager_left_in_a_session_is_ended") else { return };
    let killed = open(&rig, "a");
    killed.commit(&ack(1, 0)).unwrap();
    killed.die();
    rig.raw("leased", async |db| {
        let mut session = db.client().start_session().await.unwrap();
        let named =
            doc! { "q": { "_id": "pusher" }, "u": { "$set": { "sessions": [session.id().clone()] } } };
        db.run_command(doc! { "update": STATE, "updates": [named] }).await.unwrap();
        session.start_transaction().await.unwrap();
        let begun = doc! { "q": { "_id": "commits" }, "u": { "$inc": { "count": 1_i64 } } };
        db.run_command(doc! { "update": STATE, "updates": [begun] }).session(&mut session).await.unwrap();
        // As if its process had ended: nobody tells the server.
        std::mem::forget(session);
    });
    // The server would end it by itself a minute later.
    let again = open_with(&rig, "a", Times { orphans: Duration::ZERO, ..TIMES }).unwrap();
    let version = again.snapshot().unwrap().documents[0].1;
    again.commit(&ack(2, version)).unwrap();
}
