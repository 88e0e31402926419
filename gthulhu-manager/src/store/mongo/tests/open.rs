//! Ways in which opening fails: each one line, in time, with the server's name and without the password.

use std::net::TcpListener;
use std::time::Instant;

use gthulhu_local::ports::Port;
use mongodb::bson::{Document as Fields, doc};

use super::*;
use crate::store::migrate::{MigrateError, migrate};
use crate::store::redb::RedbImport;

/// It does not open; what is said.
fn refusal(config: &Mongodb, state: &Path) -> OpenError {
    let error = MongoStore::open(config, state).map(drop).unwrap_err();
    let text = error.to_string();
    assert!(text.lines().count() == 1 && !text.contains(config.password.reveal()), "{text}");
    error
}

#[test]
fn a_server_that_does_not_answer_is_named() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens on one, nobody answers on the other.
    let (closed, silent) = (Port::take().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    for port in [closed.number(), silent.local_addr().unwrap().port()] {
        let config = Mongodb {
            host: "127.0.0.1".into(),
            port: port.to_string(),
            user: "u".into(),
            password: "hidden-password".into(),
            ..Mongodb::default()
        };
        let begun = Instant::now();
        let error = refusal(&config, dir.path());
        assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}: cannot be reached")), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(60), "its own deadlines are 2 s and 15 s");
    }
}

#[test]
fn whoever_may_not_use_the_database_is_told_so() {
    let Some(rig) = Rig::start("whoever_may_not_use_the_database_is_told_so") else { return };
    let wrong = Mongodb { password: "another-password".into(), ..rig.config("db") };
    let error = refusal(&wrong, &rig.state());
    assert!(matches!(error, OpenError::Denied { .. }), "{error}");
    rig.raw("admin", async |admin| {
        let roles = doc! { "role": "readWrite", "db": "another" };
        admin
            .run_command(doc! { "createUser": "guest", "pwd": "guest-password", "roles": [roles] })
            .await
            .unwrap();
    });
    let guest = Mongodb { user: "guest".into(), password: "guest-password".into(), ..rig.config("db") };
    let error = refusal(&guest, &rig.state());
    assert!(matches!(error, OpenError::Denied { .. }) && error.to_string().contains("guest"), "{error}");
}

#[test]
fn a_database_of_another_program_or_version_is_refused_and_left_as_it_was() {
    let Some(rig) = Rig::start("a_database_of_another_program_or_version_is_refused") else { return };
    for (n, collection, row, says) in [
        (
            0,
            STATE,
            doc! { "_id": "schema", "version": 2_i64 },
            "written by a newer version (schema 2, this program knows 1)",
        ),
        (1, "schema_migrations", doc! { "version": 4_i64, "dirty": false }, "schema_migrations is 4"),
        (2, "schema_migrations", doc! { "version": 5_i64, "dirty": true }, "dirty"),
        (3, STATE, doc! { "_id": "import", "from": "x" }, "run `store migrate` again"),
    ] {
        let database = format!("refused{n}");
        let before = rig.raw(&database, async |db| {
            db.collection::<Fields>(collection).insert_one(row.clone()).await.unwrap();
            db.list_collection_names().await.unwrap()
        });
        let error = refusal(&rig.config(&database), &rig.state());
        assert!(matches!(error, OpenError::Refused { .. }) && error.to_string().contains(says), "{error}");
        let after = rig.raw(&database, async |db| db.list_collection_names().await.unwrap());
        assert_eq!(after, before, "nothing was made");
    }
}

#[test]
fn a_database_with_a_document_that_makes_no_sense_is_not_copied_without_it() {
    let Some(rig) = Rig::start("a_database_with_a_document_that_makes_no_sense") else { return };
    let store = rig.open("torn");
    rig.raw("torn", async |database| {
        let nonsense = doc! { "_id": "no id", "username": 7 };
        database
            .collection::<Fields>("users")
            .insert_one(nonsense)
            .bypass_document_validation(true)
            .await
            .map(drop)
    })
    .unwrap();
    let copy = rig.dir.path().join("copy.redb");
    let target = Box::new(RedbImport::open(&copy).unwrap());
    let refused = migrate(&store, target, |_, _, _| ()).unwrap_err();
    assert!(matches!(refused, MigrateError::Refused(1)), "{refused}");
}
