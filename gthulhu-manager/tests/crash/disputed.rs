//! A database that more than one wants something of: clients who ask for the same name, a second manager, and another
//! program that leaves what no manager would.

use std::fs;
use std::sync::Barrier;
use std::thread;

use gthulhu_local::mongo::MongoServer;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::manager::{Manager, Place};
use crate::takeover::database;
use crate::wire::Wire;
use crate::writers::{create, strategy};

const DATABASE: &str = "disputed";
const TEMPORARY: i32 = 75;
const CLIENTS: usize = 16;

/// A running server, where there is one.
pub(crate) fn server() -> Result<(MongoServer, TempDir), String> {
    gthulhu_local::mongo::program().map_err(|reason| format!("no MongoDB server: {reason}"))?;
    let dir = tempfile::tempdir().unwrap();
    let server = MongoServer::start(dir.path()).unwrap();
    Ok((server, dir))
}

/// Looks past the manager.
fn raw<T>(server: &MongoServer, work: impl AsyncFnOnce(mongodb::Database) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { work(database(server, DATABASE).await).await })
}

fn administrator(manager: &Manager) -> Wire {
    Wire::connect(manager.address(), &manager.login()).unwrap()
}

#[test]
fn of_sixteen_clients_who_want_one_name_one_gets_it() {
    let (server, _dir) = match server() {
        Ok(found) => found,
        Err(reason) => return println!("SKIPPED of_sixteen_clients_who_want_one_name_one_gets_it: {reason}"),
    };
    println!("of_sixteen_clients_who_want_one_name_one_gets_it: on {}", server.version());
    let place = Place::with_mongodb(&server.section(DATABASE));
    let manager = place.start();
    let (token, start) = (manager.login(), Barrier::new(CLIENTS));
    let ask = |client: usize| {
        let mut wire = Wire::connect(manager.address(), &token).unwrap();
        let user = json!({"username": "wanted", "password": format!("a passphrase of client {client}")});
        start.wait();
        wire.call("POST", "/api/v1/users", "create", &user).unwrap().status
    };
    let mut answers: Vec<u16> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || ask(client))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    answers.sort_unstable();
    assert_eq!(answers, [&[200][..], &[409; CLIENTS - 1]].concat());
    let stored = raw(&server, async |db| {
        db.collection::<Document>("users").count_documents(doc! { "username": "wanted" }).await.unwrap()
    });
    assert_eq!(stored, 1);
}

#[test]
fn a_second_manager_waits_and_ends_naming_the_first_who_does_not_notice() {
    let (server, _dir) = match server() {
        Ok(found) => found,
        Err(reason) => return println!("SKIPPED a_second_manager_waits_and_ends_naming_the_first: {reason}"),
    };
    println!("a_second_manager_waits_and_ends_naming_the_first: on {}", server.version());
    let (one, other) =
        (Place::with_mongodb(&server.section(DATABASE)), Place::with_mongodb(&server.section(DATABASE)));
    let first = one.start();
    create(&mut administrator(&first), "before").unwrap().unwrap();
    let (code, said) = other.fail();
    assert_eq!((code, said.len()), (Some(TEMPORARY), 1), "{said:?}");
    let number = fs::read_to_string(one.state().join("mongodb-holder")).unwrap();
    let at = format!("127.0.0.1:{}", server.port());
    let named = [at.as_str(), DATABASE, &format!("/{number}")].iter().all(|part| said[0].contains(part));
    assert!(named, "{}", said[0]);
    let mut wire = administrator(&first);
    create(&mut wire, "after").unwrap().unwrap();
    let listed = wire.call("GET", "/api/v1/strategies/self", "list", &Value::Null).unwrap().data();
    assert_eq!(listed["strategies"].as_array().unwrap().len(), 2);
}

#[test]
fn documents_that_make_no_sense_are_refused_and_counted_and_the_rest_works() {
    let (server, _dir) = match server() {
        Ok(found) => found,
        Err(reason) => {
            return println!("SKIPPED documents_that_make_no_sense_are_refused_and_counted: {reason}");
        }
    };
    println!("documents_that_make_no_sense_are_refused_and_counted: on {}", server.version());
    let place = Place::with_mongodb(&server.section(DATABASE)).with_pods();
    let manager = place.start();
    let good = create(&mut administrator(&manager), "good").unwrap().unwrap();
    manager.kill();

    let id = |n: u8| ObjectId::from_bytes([n; 12]);
    let with = |n: u8, name: &str, value: Bson| {
        let mut fields = doc! { "_id": id(n), "creatorID": id(9), "strategyNamespace": "hidden" };
        fields.insert(name, value);
        ("schedule_strategies", fields)
    };
    let torn = [
        ("users", doc! { "_id": id(2), "username": "torn", "password": 5_i32, "status": 1_i32 }),
        ("users", doc! { "_id": id(3), "password": "x", "status": 1_i32 }),
        ("roles", doc! { "_id": id(2), "name": ["torn"] }),
        ("schedule_strategies", doc! { "_id": id(2), "strategyNamespace": "hidden" }),
        with(3, "priority", "high".into()),
        with(4, "labelSelectors", doc! { "app": "web" }.into()),
        with(5, "executionTime", 1.5.into()),
        with(6, "creatorID", "nobody".into()),
        with(7, "_id", "a text".into()),
        ("exclusions", doc! { "_id": id(2), "strategyID": id(1) }),
        ("sessions", doc! { "_id": id(2), "userID": 7_i32, "tokenHash": "x" }),
        ("node_acks", doc! { "_id": "n", "epoch": -1_i64 }),
    ];
    raw(&server, async |db| {
        for (collection, row) in &torn {
            let rows = db.collection::<Document>(collection);
            rows.insert_one(row.clone()).bypass_document_validation(true).await.unwrap();
        }
    });
    let mut starting = place.spawn();
    for _ in &torn {
        let named = starting.until("document").expect("each is named in the log");
        assert!(torn.iter().any(|(collection, _)| named.starts_with(collection)), "{named}");
    }
    let manager = starting.outcome().map_err(|end| format!("{end:?}")).unwrap();
    let mut wire = administrator(&manager);
    let ready = wire.call("GET", "/readyz?verbose", "ready", &Value::Null).unwrap();
    let counted = format!("documents that make no sense: {}", torn.len());
    assert!(ready.status == 200 && ready.text().contains(&counted), "{}", ready.text());
    let names = |wire: &mut Wire| -> Vec<Value> {
        let listed = wire.call("GET", "/api/v1/strategies/self", "list", &Value::Null).unwrap().data();
        let rows = listed["strategies"].as_array().unwrap().iter();
        rows.map(|row| row["StrategyNamespace"].clone()).collect()
    };
    assert_eq!(names(&mut wire), ["good"]);
    let change = strategy(Some(&good), "changed");
    assert_eq!(
        wire.call("PUT", "/api/v1/strategies?allowEmpty=true", "change", &change).unwrap().status,
        200
    );
    create(&mut wire, "new").unwrap().unwrap();
    assert_eq!(names(&mut wire), ["changed", "new"]);
    drop(manager);
    raw(&server, async |db| {
        for (collection, row) in &torn {
            let left =
                db.collection::<Document>(collection).find_one(doc! { "_id": row.get("_id").unwrap() }).await;
            assert_eq!(left.unwrap().as_ref(), Some(row), "what makes no sense is left as it is");
        }
    });
}
