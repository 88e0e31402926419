//! `store migrate`, from the embedded store into a database and back, killed on its way: run again it goes on, and both
//! stores hold the same, byte for byte.
//!
//! `GTHULHU_MONGO_KILLS` sets how often.

use std::collections::BTreeSet;
use std::path::Path;

use gthulhu_local::mongo::{MongoServer, PASSWORD, USER};
use gthulhu_manager::config::Mongodb;
use gthulhu_manager::store::mongo::{MongoStore, OpenError};
use gthulhu_manager::store::redb::RedbStore;
use gthulhu_manager::store::{Snapshot, Store};

use crate::manager::Place;
use crate::wire::Wire;
use crate::writers::create;

const KILLS: usize = 3;
/// With as many audit records: some chunks of each.
const STRATEGIES: usize = 450;

/// Everything that a store has.
fn content(store: &dyn Store) -> (Snapshot, Vec<Vec<u8>>) {
    (store.snapshot().unwrap(), store.audit(0, usize::MAX).unwrap())
}

/// Opens what is in the database, as a manager would.
fn open(server: &MongoServer, database: &str, state: &Path) -> Result<MongoStore, OpenError> {
    let config = Mongodb {
        host: "127.0.0.1".into(),
        port: server.port().to_string(),
        user: USER.into(),
        password: PASSWORD.into(),
        database: database.into(),
        options: "authSource=admin&directConnection=true".into(),
        ..Mongodb::default()
    };
    MongoStore::open(&config, state)
}

#[test]
fn a_migration_that_is_killed_goes_on_and_ends_the_same() {
    const NAME: &str = "a_migration_that_is_killed_goes_on_and_ends_the_same";
    if let Err(reason) = gthulhu_local::mongo::program() {
        println!("SKIPPED {NAME}: no MongoDB server: {reason}");
        return;
    }
    let kills = std::env::var("GTHULHU_MONGO_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let place = Place::new();
    let manager = place.start();
    let mut wire = Wire::connect(manager.address(), &manager.login()).unwrap();
    for n in 0..STRATEGIES {
        create(&mut wire, &format!("strategy {n}")).unwrap().unwrap();
    }
    manager.kill();
    let before = content(&RedbStore::open(place.store()).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let server = MongoServer::start(dir.path()).unwrap();
    let (mut interrupted, mut points) = (0, BTreeSet::new());
    for round in 0.. {
        if interrupted >= kills * 2 {
            break;
        }
        let database = format!("round{round}");
        let redb = |path: &Path| format!("[store]\nkind = \"redb\"\npath = '{}'\n", path.display());
        place.reconfigure(&(redb(place.store()) + &server.section(&database)));
        // Some line of its progress before the last ones, another in each round.
        let line = 1 + round * 7 % 10;
        let there = ["store", "migrate", "--from", "redb", "--to", "mongodb"];
        // One that was killed may have done everything by then: its work is whole, which is looked at below.
        if place.interrupt(&there, line) && open(&server, &database, &place.state()).is_err() {
            interrupted += 1;
            points.insert(line);
            place.reconfigure(&server.section(&database));
            let (code, said) = place.fail();
            assert!(code == Some(65) && said[0].contains("was not finished"), "{said:?}");
            place.reconfigure(&(redb(place.store()) + &server.section(&database)));
            place.operate(&there).unwrap();
        }
        assert_eq!(content(&open(&server, &database, &place.state()).unwrap()), before);
        let back = dir.path().join(format!("back{round}.redb"));
        place.reconfigure(&(redb(&back) + &server.section(&database)));
        let again = ["store", "migrate", "--from", "mongodb", "--to", "redb"];
        // A half store is not there: what is there is whole, which is looked at below.
        if place.interrupt(&again, line) && !back.exists() {
            interrupted += 1;
            place.operate(&again).unwrap();
        }
        assert_eq!(content(&RedbStore::open(&back).unwrap()), before);
    }
    println!(
        "migrations on {}: {interrupted} killed on their way at {} points, each went on; {} documents and {} records the \
         same afterwards",
        server.version(),
        points.len(),
        before.0.documents.len(),
        before.1.len(),
    );
}
