//! What the database has besides documents: collections with their rules, indexes, and the numbers that say which
//! program made it.
//!
//! A database of the Go manager is recognized by `schema_migrations`, whose number is 5 or more; nothing that its
//! migrations inserted is inserted again. An empty one gets what those migrations make, so that a Go manager could go
//! on with it. What only this manager has comes beside it.

use mongodb::bson::{Document as Fields, doc};

use super::documents::STATE;
use super::server::Server;
use super::trouble::{Trouble, code, code_of};
use crate::domain::Permission;

/// The layout of what is ours.
const OURS: i64 = 1;
/// The Go manager's oldest layout that has everything.
const GO: i64 = 5;
const MIGRATIONS: &str = "schema_migrations";
const SCHEMA: &str = "schema";
/// Marks a database that documents are being copied into.
pub(super) const IMPORT: &str = "import";

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A database without a history.
    Fresh,
    /// One of the Go manager, or of this one.
    Known,
    /// One that must not be used; why.
    Refused(String),
}

/// Looks without changing anything.
pub(super) async fn examine(server: &Server, importing: bool) -> Result<Found, Trouble> {
    if let Some(ours) = server.one(STATE, doc! { "_id": SCHEMA }).await? {
        let version = number(&ours, "version");
        if version != Some(OURS) {
            let found = version.map_or_else(|| "?".to_owned(), |version| version.to_string());
            let reason = format!("written by a newer version (schema {found}, this program knows {OURS})");
            return Ok(Found::Refused(reason));
        }
    }
    let half = server.one(STATE, doc! { "_id": IMPORT }).await?;
    if half.is_some() && !importing {
        let reason = "a migration into it was not finished; run `store migrate` again";
        return Ok(Found::Refused(reason.into()));
    }
    let Some(history) = server.one(MIGRATIONS, doc! {}).await? else { return Ok(Found::Fresh) };
    if history.get_bool("dirty").unwrap_or(false) {
        return Ok(Found::Refused(
            "a migration of the Go manager was interrupted (schema_migrations is dirty)".into(),
        ));
    }
    Ok(match number(&history, "version") {
        Some(version) if version >= GO => Found::Known,
        Some(version) => Found::Refused(format!(
            "schema_migrations is {version}: start the newest Go manager on it once, which brings it to {GO} or more"
        )),
        None => Found::Refused("schema_migrations has no version".into()),
    })
}

fn number(fields: &Fields, name: &str) -> Option<i64> {
    super::documents::Reader(fields).number(name).ok().flatten()
}

/// Makes what is missing. Of a database that is known, nothing that is there is changed.
pub(super) async fn prepare(server: &Server, found: &Found) -> Result<(), Trouble> {
    for (name, rules) in collections() {
        create(server, name, rules).await?;
    }
    for (collection, name, field) in [
        ("users", "idx_users_username_unique", "username"),
        ("roles", "idx_roles_name_unique", "name"),
        ("permissions", "idx_permissions_key_unique", "key"),
    ] {
        let index = doc! { "key": { field: 1 }, "name": name, "unique": true };
        server.run(doc! { "createIndexes": collection, "indexes": [index] }).await?;
    }
    if *found == Found::Fresh {
        server.write(doc! { "update": "permissions", "updates": permissions() }).await?;
        // As the Go manager's migration tool leaves it.
        let history = doc! { "version": GO, "dirty": false };
        let absent = doc! { "version": { "$exists": true } };
        let update = doc! { "q": absent, "u": { "$setOnInsert": history }, "upsert": true };
        server.write(doc! { "update": MIGRATIONS, "updates": [update] }).await?;
    }
    let ours = doc! { "q": { "_id": SCHEMA }, "u": { "$setOnInsert": { "version": OURS } }, "upsert": true };
    server.write(doc! { "update": STATE, "updates": [ours] }).await.map(drop)
}

async fn create(server: &Server, name: &str, rules: Option<Fields>) -> Result<(), Trouble> {
    let mut command = doc! { "create": name };
    if let Some(rules) = rules {
        command.insert("validator", doc! { "$jsonSchema": rules });
    }
    match server.try_run(command).await {
        Ok(_) => Ok(()),
        Err(error) if code_of(&error) == Some(code::NAMESPACE_EXISTS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Every collection, with what its documents must look like: as the Go manager has it, except that a number may have
/// either width.
fn collections() -> [(&'static str, Option<Fields>); 10] {
    let whole = || doc! { "bsonType": ["int", "long"] };
    let text = || doc! { "bsonType": "string" };
    let id = || doc! { "bsonType": "objectId" };
    let list = |of: Fields| doc! { "bsonType": "array", "items": of };
    let users = doc! {
        "username": text(), "password": text(), "status": whole(), "roles": list(text()),
        "permissionKeys": list(text()), "creatorID": id(), "updaterID": id(),
    };
    let policy = doc! {
        "bsonType": "object", "required": ["permissionKey"],
        "properties": { "permissionKey": text(), "self": { "bsonType": "bool" }, "k8sNamespace": text(), "policeNamespace": text() },
    };
    let roles = doc! { "name": text(), "description": text(), "policies": list(policy) };
    let permissions = doc! { "key": text(), "resource": text(), "action": text(), "description": text() };
    let selector = doc! { "bsonType": "object", "properties": { "key": text(), "value": text() } };
    let strategies = doc! {
        "strategyNamespace": text(), "labelSelectors": list(selector), "k8sNamespace": list(text()),
        "commandRegex": text(), "priority": whole(), "executionTime": whole(), "creatorID": id(), "updaterID": id(),
    };
    let intents = doc! {
        "strategyID": id(), "podID": text(), "nodeID": text(), "k8sNamespace": text(), "commandRegex": text(),
        "priority": whole(), "executionTime": whole(), "podLabels": { "bsonType": "object" }, "state": whole(),
    };
    let object = |required: &[&str], properties: Fields| {
        let mut rules = doc! { "bsonType": "object", "properties": properties };
        if !required.is_empty() {
            rules.insert("required", required.to_vec());
        }
        Some(rules)
    };
    [
        ("users", object(&["username", "password", "status"], users)),
        ("roles", object(&["name"], roles)),
        ("permissions", object(&["key", "resource", "action"], permissions)),
        ("schedule_strategies", object(&[], strategies)),
        ("schedule_intents", object(&[], intents)),
        ("exclusions", None),
        ("sessions", None),
        ("node_acks", None),
        (super::documents::AUDIT, None),
        (STATE, None),
    ]
}

/// The permissions that the Go manager's migrations insert.
fn permissions() -> Vec<Fields> {
    let go = Permission::ALL.iter().filter(|permission| **permission != Permission::AuditRead);
    let row = |permission: &Permission| {
        let (resource, action) = match permission {
            Permission::UserPasswordReset => ("user", "update"),
            other => other.key().rsplit_once('.').unwrap_or((other.key(), "")),
        };
        let fields = doc! { "resource": resource, "action": action, "description": permission.description() };
        doc! { "q": { "key": permission.key() }, "u": { "$setOnInsert": fields }, "upsert": true }
    };
    go.map(row).collect()
}
