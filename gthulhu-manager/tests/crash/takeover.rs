//! A database of the Go manager, written field by field as it leaves it, is taken over: its users log in, its roles and
//! strategies work, and what is changed keeps the field names and types that it had.

use gthulhu_local::mongo::MongoServer;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ClientOptions;
use serde_json::{Value, json};

use crate::manager::Place;
use crate::wire::Wire;
use crate::writers::strategy;

const DATABASE: &str = "manager";
/// `correct-horse`, as the Go manager hashes: m=16384, t=3, p=2.
const HASH: &str =
    "$argon2id$v=19$m=16384,t=3,p=2$AAECAwQFBgcICQoLDA0ODw$JmRXJTynYRQQ5Ajh4wKa2ALuVeWNm318bwzXgpHQELA";

fn id(n: u8) -> ObjectId {
    ObjectId::from_bytes([n; 12])
}

/// The database, past the manager.
pub(crate) async fn database(server: &MongoServer, name: &str) -> mongodb::Database {
    let uri = format!("mongodb://u:p@127.0.0.1:{}/?authSource=admin&directConnection=true", server.port());
    let mut options = ClientOptions::parse(uri).await.unwrap();
    let credential = options.credential.as_mut().unwrap();
    credential.username = Some(gthulhu_local::mongo::USER.into());
    credential.password = Some(gthulhu_local::mongo::PASSWORD.into());
    mongodb::Client::with_options(options).unwrap().database(name)
}

fn policy(key: &str) -> Document {
    doc! { "permissionKey": key, "self": false, "k8sNamespace": "", "policeNamespace": "" }
}

fn written(n: u8, namespace: &str) -> Document {
    doc! {
        "_id": id(n), "createdTime": 1_772_000_000_000_i64, "updatedTime": 1_772_000_000_000_i64,
        "creatorID": id(1), "updaterID": id(1), "strategyNamespace": namespace,
        "labelSelectors": [{ "key": "app.kubernetes.io/name", "value": "web" }], "k8sNamespace": ["default"],
        "commandRegex": "^nginx", "priority": 3_i32, "executionTime": 20_000_000_i64, "updateTime": 5_i64,
    }
}

async fn fill(db: &mongodb::Database) {
    let keys = [
        "user.create",
        "user.password.reset",
        "user.permission.update",
        "user.read",
        "role.create",
        "role.delete",
        "role.update",
        "role.read",
        "permission.read",
        "schedule_strategy.read",
        "schedule_strategy.create",
        "schedule_intent.read",
        "schedule_strategy.delete",
        "schedule_intent.delete",
        "pod_pid_mapping.read",
        "schedule_strategy.update",
        "pod_scheduling_metrics.read",
    ];
    let user = doc! {
        "_id": id(1), "createdTime": 1_771_000_000_000_i64, "username": "admin@example.com", "password": HASH,
        "status": 1_i32, "roles": ["admin"], "permissionKeys": ["user.read"],
    };
    let role = doc! {
        "_id": id(2), "name": "admin", "description": "Administrator role", "created_time": 0_i64, "updated_time": 0_i64,
        "policies": keys.iter().map(|key| policy(key)).collect::<Vec<_>>(),
    };
    let intent = doc! {
        "_id": id(5), "strategyID": id(3), "podID": "u", "nodeID": "n", "k8sNamespace": "default", "commandRegex": "",
        "priority": 3_i32, "executionTime": 0_i64, "podLabels": { "app.kubernetes.io/name": "web" }, "state": 2_i32,
    };
    let rows = [
        ("users", user),
        // What no manager wrote: it is left out, and everything else works.
        ("users", doc! { "_id": id(9), "username": "torn", "password": 5_i32, "status": 1_i32 }),
        ("roles", role),
        ("permissions", doc! { "_id": id(6), "key": "user.create", "resource": "user", "action": "create" }),
        ("schedule_strategies", written(3, "changed")),
        ("schedule_strategies", written(4, "deleted")),
        ("schedule_intents", intent),
        ("schema_migrations", doc! { "version": 5_i64, "dirty": false }),
    ];
    for (collection, row) in rows {
        db.collection::<Document>(collection).insert_one(row).await.unwrap();
    }
}

async fn one(db: &mongodb::Database, collection: &str, n: u8) -> Option<Document> {
    db.collection::<Document>(collection).find_one(doc! { "_id": id(n) }).await.unwrap()
}

#[test]
fn a_database_of_the_go_manager_is_taken_over() {
    if let Err(reason) = gthulhu_local::mongo::program() {
        println!("SKIPPED a_database_of_the_go_manager_is_taken_over: no MongoDB server: {reason}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = MongoServer::start(dir.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = runtime.block_on(async {
        let db = database(&server, DATABASE).await;
        fill(&db).await;
        db
    });
    let place = Place::with_mongodb(&server.section(DATABASE));
    let manager = place.start();

    let login = json!({"username": "admin@example.com", "password": "correct-horse"});
    let mut wire = Wire::connect(manager.address(), "").unwrap();
    let token = wire.call("POST", "/api/v1/auth/login", "login", &login).unwrap().data()["token"].take();
    let mut wire = Wire::connect(manager.address(), token.as_str().unwrap()).unwrap();
    let listed = wire.call("GET", "/api/v1/strategies/self", "list", &Value::Null).unwrap().data();
    let names: Vec<_> =
        listed["strategies"].as_array().unwrap().iter().map(|row| row["StrategyNamespace"].clone()).collect();
    assert_eq!(names, ["changed", "deleted"]);
    let path = "/api/v1/strategies?allowEmpty=true";
    let update = strategy(Some(&id(3).to_hex()), "by us");
    assert_eq!(wire.call("PUT", path, "update", &update).unwrap().status, 200);
    let delete = json!({"strategyId": id(4).to_hex()});
    assert_eq!(wire.call("DELETE", path, "delete", &delete).unwrap().status, 200);
    let trail = wire.call("GET", "/api/v1/audit", "audit", &Value::Null).unwrap().data().to_string();
    assert!(trail.contains("strategy.update") && trail.contains("strategy.delete"), "{trail}");
    drop(manager);

    runtime.block_on(async {
        let left = one(&db, "schedule_strategies", 3).await.unwrap();
        let text = |name: &str| left.get_str(name).unwrap().to_owned();
        assert_eq!((text("strategyNamespace"), text("commandRegex")), ("by us".into(), "^nginx".into()));
        assert!(matches!(left.get("priority"), Some(Bson::Int32(3))), "{left}");
        assert!(matches!(left.get("executionTime"), Some(Bson::Int64(20_000_000))), "{left}");
        assert!(matches!(left.get("createdTime"), Some(Bson::Int64(1_772_000_000_000))), "{left}");
        assert!(
            matches!(left.get("updatedTime"), Some(Bson::Int64(ms)) if *ms > 1_772_000_000_000),
            "{left}"
        );
        assert_eq!(
            (left.get_object_id("creatorID").unwrap(), left.get_object_id("updaterID").unwrap()),
            (id(1), id(1))
        );
        assert!(matches!(left.get("updateTime"), Some(Bson::Int64(5))), "what is not ours stays: {left}");
        assert!(one(&db, "schedule_strategies", 4).await.is_none());
        let user = one(&db, "users", 1).await.unwrap();
        assert!(
            matches!(user.get("status"), Some(Bson::Int32(1))) && user.contains_key("permissionKeys"),
            "{user}"
        );
        let role = one(&db, "roles", 2).await.unwrap();
        let last = role.get_array("policies").unwrap().last().unwrap().as_document().unwrap().clone();
        assert_eq!(
            last,
            policy("pod_scheduling_metrics.read"),
            "a permission that only the Go manager knows"
        );
        assert!(
            role.get_array("policies").unwrap()[0].as_document().unwrap().contains_key("policeNamespace")
        );
        let count = db.collection::<Document>("permissions").count_documents(doc! {}).await.unwrap();
        assert_eq!(count, 1, "nothing is inserted again");
    });
}
