//! What a server can do that the real one at hand does not show.

use gthulhu_lib::id::Id;
use mongodb::bson::Document as Fields;

use super::script::{Fault, Scripted};
use super::*;
use crate::domain::Exclusion;
use crate::store::audit::{Head, Origin};
use crate::store::{AuditEntry, Document};

/// Not the primary any more.
const STEPPED_DOWN: i32 = 10107;
const TRANSIENT: &[&str] = &["TransientTransactionError"];
const UNKNOWN: &[&str] = &["UnknownTransactionCommitResult"];

fn document(text: &str) -> Document {
    let id = |n| Id::from_bytes([n; 12]);
    Document::Exclusion(Exclusion {
        id: id(1),
        strategy: id(2),
        pod_uid: text.into(),
        creator: id(3),
        at_ms: 1,
    })
}

fn change(text: &str, version: u64) -> Batch {
    let document = document(text);
    Batch::audited(AuditEntry::created(&Origin::system(1), "test", &document)).replace(version, document)
}

/// The document once, with this version, and one record for each change; nothing is left to do.
fn assert_done(server: &Scripted, store: &MongoStore, text: &str, version: u64, records: usize) {
    assert_eq!(store.snapshot().unwrap().documents, [(document(text), version)]);
    let mut head = Head::start();
    let trail = store.audit(0, 100).unwrap();
    for bytes in &trail {
        head.verify(bytes).unwrap();
    }
    assert_eq!(trail.len(), records);
    let ledger = server.scene().rows[STATE]
        .iter()
        .find(|row| row.get_str("_id").is_ok_and(|id| id == "commits"))
        .cloned();
    assert!(!ledger.unwrap().contains_key("pending"));
}

#[test]
fn it_conforms_as_a_set_and_as_a_standalone() {
    let set = Scripted::set();
    conformance::all(&|| Box::new(set.open()));
    let standalone = Scripted::start(false, false);
    conformance::all(&|| Box::new(standalone.open()));
    let one_too_many = |command: &Fields| command.contains_key("txnNumber");
    assert!(!standalone.scene().log.iter().any(one_too_many), "a standalone is asked for no transaction");
    assert_eq!(standalone.open().remarks(), "transactions: no");
}

#[test]
fn every_write_waits_for_the_journal_of_a_majority() {
    for server in [Scripted::set(), Scripted::start(false, false)] {
        let store = server.open();
        let version = store.commit(&change("a", 0)).unwrap().version;
        store.commit(&change("b", version)).unwrap();
        drop(store);
        for command in &server.scene().log {
            let name = command.keys().next().unwrap().as_str();
            let within = command.contains_key("autocommit");
            if !within && ["insert", "update", "delete", "findAndModify"].contains(&name)
                || name == "commitTransaction"
            {
                let concern = command.get_document("writeConcern").cloned().unwrap_or_default();
                let waits = (concern.get_str("w").ok(), concern.get_bool("j").ok());
                assert_eq!(waits, (Some("majority"), Some(true)), "{command}");
            }
            if name == "find" && !within && command.contains_key("readConcern") {
                assert_eq!(
                    command.get_document("readConcern").unwrap().get_str("level").unwrap(),
                    "majority"
                );
            }
        }
    }
}

#[test]
fn a_change_and_its_record_are_one_transaction() {
    let server = Scripted::set();
    let store = server.open();
    let version = store.commit(&change("a", 0)).unwrap().version;
    server.scene().log.clear();
    store.commit(&change("b", version)).unwrap();
    let log = server.scene().log.clone();
    let number = |command: &Fields| command.get_i64("txnNumber").ok();
    let of = |collection: &str| {
        // The lease is renewed meanwhile or not, in the collection of the ledger.
        let of_another = |command: &Fields| {
            let updates = command.get_array("updates").unwrap();
            let query = updates[0].as_document().unwrap().get_document("q").unwrap();
            collection == STATE && query.get_str("_id").is_ok_and(|id| id != "commits")
        };
        let about = |command: &&Fields| {
            command.get_str("update").is_ok_and(|it| it == collection) && !of_another(command)
        };
        let found = log.iter().find(about).unwrap_or_else(|| panic!("nothing is written to {collection}"));
        assert!(found.contains_key("autocommit"), "{collection}: on its own");
        number(found)
    };
    let end = log.iter().find(|command| command.contains_key("commitTransaction")).expect("it is committed");
    assert_eq!((of(STATE), of("exclusions"), of(AUDIT)), (number(end), number(end), number(end)));
}

#[test]
fn what_became_of_a_commit_is_found_out_before_it_is_answered() {
    for (done, fault) in [
        (true, Fault::CutInReply),
        (true, Fault::NoMajority),
        (false, Fault::CutBefore),
        (false, Fault::Refuse(STEPPED_DOWN, UNKNOWN)),
        (false, Fault::Refuse(251, TRANSIENT)),
    ] {
        let server = Scripted::set();
        let store = server.open();
        let first = store.commit(&change("a", 0)).unwrap().version;
        // The driver itself asks a second time: both go wrong.
        server.fail("commitTransaction", "", fault.clone());
        server.fail("commitTransaction", "", if done { Fault::CutBefore } else { fault.clone() });
        let second = store.commit(&change("b", first)).unwrap().version;
        assert_done(&server, &store, "b", second, 2);
        let third = store.commit(&change("c", second)).unwrap().version;
        assert_done(&server, &store, "c", third, 3);
    }
}

#[test]
fn a_primary_that_steps_down_within_a_transaction_is_tried_again() {
    for (command, collection) in
        [("update", STATE), ("find", "exclusions"), ("update", "exclusions"), ("update", AUDIT)]
    {
        let server = Scripted::set();
        let store = server.open();
        for fault in [Fault::Refuse(STEPPED_DOWN, TRANSIENT), Fault::CutBefore, Fault::Refuse(112, TRANSIENT)]
        {
            server.fail(command, collection, fault);
        }
        let version = store.commit(&change("a", 0)).unwrap().version;
        assert_done(&server, &store, "a", version, 1);
    }
}

#[test]
fn a_server_that_only_says_it_has_transactions_is_used_without() {
    let server = Scripted::start(true, false);
    let store = server.open();
    let version = store.commit(&change("a", 0)).unwrap().version;
    assert_done(&server, &store, "a", version, 1);
    assert_eq!(store.remarks(), "transactions: no");
}

#[test]
fn without_transactions_a_change_that_was_begun_is_finished() {
    let places: [(&'static str, &'static str); 3] =
        [("update", "exclusions"), ("update", AUDIT), ("update", STATE)];
    for (command, collection) in places {
        for fault in
            [Fault::CutBefore, Fault::CutInReply, Fault::NoMajority, Fault::Refuse(STEPPED_DOWN, &[])]
        {
            let server = Scripted::start(false, false);
            let store = server.open();
            server.fail(command, collection, fault);
            let version = store.commit(&change("a", 0)).unwrap().version;
            assert_done(&server, &store, "a", version, 1);
        }
    }
}

#[test]
fn what_a_killed_manager_had_begun_is_finished_by_the_next() {
    let server = Scripted::start(false, false);
    let store = server.open();
    let version = store.commit(&change("a", 0)).unwrap().version;
    // From the change of the document on, nothing gets through any more.
    store.hurry();
    (0..99).for_each(|_| server.fail("update", "exclusions", Fault::CutBefore));
    let refused = store.commit(&change("b", version)).unwrap_err();
    assert!(matches!(refused, CommitError::Store(StoreError::Unavailable(_))), "{refused}");
    store.die();
    server.scene().faults.clear();
    let next = server.open();
    let found = next.snapshot().unwrap().documents;
    assert_done(&server, &next, "b", found[0].1, 2);
}

#[test]
fn a_server_that_is_away_is_told_in_time_and_used_again_when_it_is_back() {
    let server = Scripted::set();
    let store = server.open();
    let first = store.commit(&change("a", 0)).unwrap().version;
    store.hurry();
    server.scene().away = true;
    for _ in 0..2 {
        let refused = store.commit(&change("b", first)).unwrap_err();
        assert!(matches!(refused, CommitError::Store(StoreError::Unavailable(_))), "{refused}");
    }
    assert!(matches!(store.snapshot(), Err(StoreError::Unavailable(_))));
    server.scene().away = false;
    store.give(Duration::from_secs(60));
    // The driver finds it again when it looks for it.
    let begun = std::time::Instant::now();
    while matches!(store.snapshot(), Err(StoreError::Unavailable(_))) {
        assert!(begun.elapsed() < Duration::from_secs(120), "it is back");
    }
    assert_done(&server, &store, "a", first, 1);
    let second = store.commit(&change("b", first)).unwrap().version;
    assert_done(&server, &store, "b", second, 2);
}

#[test]
fn a_document_that_the_server_does_not_take_harms_nobody_else() {
    for server in [Scripted::set(), Scripted::start(false, false)] {
        let store = server.open();
        server.fail("update", "exclusions", Fault::Refuse(121, &[]));
        let refused = store.commit(&change("a", 0)).unwrap_err();
        assert!(matches!(refused, CommitError::Store(StoreError::Refused(_))), "{refused}");
        let version = store.commit(&change("b", 0)).unwrap().version;
        assert_done(&server, &store, "b", version, 1);
    }
}

#[test]
fn a_change_of_which_only_a_part_is_taken_is_not_acknowledged() {
    let server = Scripted::start(false, false);
    let store = server.open();
    server.fail("update", "audit_trail", Fault::Refuse(121, &[]));
    let torn = store.commit(&change("a", 0)).unwrap_err();
    assert!(matches!(torn, CommitError::Store(StoreError::Failed(_))), "{torn}");
}

#[test]
fn a_transaction_that_a_killed_manager_left_is_ended_by_the_next() {
    for knows_the_command in [true, false] {
        let server = Scripted::set();
        let store = server.open();
        let version = store.commit(&change("a", 0)).unwrap().version;
        // It dies in the session of its last transaction, which the server keeps for as long as it likes.
        let last = |command: &Fields| command.contains_key("txnNumber").then(|| command.get("lsid").cloned());
        let session = server.scene().log.iter().rev().find_map(last).flatten().unwrap();
        server.scene().orphan = Some((session, if knows_the_command { usize::MAX } else { 1 }));
        if !knows_the_command {
            server.fail("killSessions", "", Fault::Refuse(59, &[]));
        }
        store.die();
        let next = server.open();
        assert!(server.scene().orphan.is_none());
        assert_done(&server, &next, "a", version, 1);
        let version = next.commit(&change("b", version)).unwrap().version;
        assert_done(&server, &next, "b", version, 2);
    }
}

#[test]
fn changes_one_after_the_other_are_made_in_one_session() {
    let server = Scripted::set();
    let store = server.open();
    let mut version = 0;
    for text in ["a", "b", "c"] {
        version = store.commit(&change(text, version)).unwrap().version;
    }
    let announced = |command: &&Fields| {
        let update =
            command.get_array("updates").ok().and_then(|list| list[0].as_document()?.get_document("u").ok());
        update.is_some_and(|update| update.get_document("$set").is_ok_and(|set| set.contains_key("sessions")))
    };
    assert_eq!(server.scene().log.iter().filter(announced).count(), 1);
}
