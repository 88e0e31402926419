//! Documents as BSON: the collections, field names and types that the Go manager has, and ours beside them.
//!
//! A document is changed field by field (`$set`, `$unset`), never replaced: what others put there stays. Our version
//! number is one more field; a document without it was written by the Go manager and counts as version 1.

mod fields;
mod people;
mod records;
mod strategy;

use gthulhu_lib::id::Id;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document as Fields, doc};

use super::super::{Document, Key};
pub(super) use fields::Reader;
pub(super) use people::Strays;

/// The version of a document that has none.
pub(super) const FOREIGN: i64 = 1;
/// The field that holds the version.
pub(super) const VERSION: &str = "gthulhuVersion";
/// What this manager keeps about itself.
pub(super) const STATE: &str = "manager_state";
/// The audit trail: number -> the record's text.
pub(super) const AUDIT: &str = "audit_trail";
/// The epoch counter, in [`STATE`].
pub(super) const EPOCH: &str = "epoch";

/// Where documents lie, in the order in which they are read.
pub(super) const COLLECTIONS: [&str; 6] =
    ["users", "roles", "schedule_strategies", "exclusions", "sessions", "node_acks"];

/// What of a document is written, and where.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) set: Fields,
    pub(super) unset: Vec<&'static str>,
}

/// The collection and the `_id` of a document.
pub(super) fn place(key: &Key) -> (&'static str, Bson) {
    match key {
        Key::User(id) => (COLLECTIONS[0], oid(*id)),
        Key::Role(id) => (COLLECTIONS[1], oid(*id)),
        Key::Strategy(id) => (COLLECTIONS[2], oid(*id)),
        Key::Exclusion(id) => (COLLECTIONS[3], oid(*id)),
        Key::Session(id) => (COLLECTIONS[4], oid(*id)),
        Key::NodeAck(node) => (COLLECTIONS[5], node.clone().into()),
        Key::Epoch => (STATE, EPOCH.into()),
    }
}

/// The field of a collection that no two documents share, besides their ids.
pub(super) fn unique_field(collection: &str) -> Option<&'static str> {
    match collection {
        "users" => Some("username"),
        "roles" => Some("name"),
        _ => None,
    }
}

/// The fields of a document. What is not known here, and not in `strays`, is not touched by writing them.
pub(super) fn encode(document: &Document, strays: &Strays) -> Image {
    let mut image = Image { set: Fields::new(), unset: Vec::new() };
    match document {
        Document::User(user) => people::write_user(user, &mut image),
        Document::Role(role) => people::write_role(role, strays.of(role.id), &mut image),
        Document::Strategy(strategy) => strategy::write(strategy, &mut image),
        Document::Exclusion(exclusion) => records::write_exclusion(exclusion, &mut image),
        Document::Session(session) => records::write_session(session, &mut image),
        Document::NodeAck(ack) => records::write_ack(ack, &mut image),
        Document::Epoch(epoch) => image.put("value", number(*epoch)),
    }
    image
}

/// Reads a document of `collection`, and its version. The error says which field is wrong, not what it holds.
pub(super) fn decode(
    collection: &str,
    fields: &Fields,
    strays: &mut Strays,
) -> Result<(Document, u64), String> {
    let reader = Reader(fields);
    let document = match collection {
        "users" => Document::User(people::read_user(&reader)?),
        "roles" => Document::Role(people::read_role(&reader, strays)?),
        "schedule_strategies" => Document::Strategy(strategy::read(&reader)?),
        "exclusions" => Document::Exclusion(records::read_exclusion(&reader)?),
        "sessions" => Document::Session(records::read_session(&reader)?),
        "node_acks" => Document::NodeAck(records::read_ack(&reader)?),
        _ => Document::Epoch(reader.count("value")?),
    };
    let version = reader.number(VERSION)?.unwrap_or(FOREIGN);
    Ok((document, u64::try_from(version).map_err(|_| format!("`{VERSION}` is negative"))?))
}

/// What `_id` a document of this collection has, as text for the log.
pub(super) fn name(collection: &str, fields: &Fields) -> String {
    match fields.get("_id") {
        Some(Bson::ObjectId(id)) => format!("{collection}/{id}"),
        Some(Bson::String(name)) => format!("{collection}/{name}"),
        _ => format!("{collection}/?"),
    }
}

impl Image {
    fn put(&mut self, name: &'static str, value: impl Into<Bson>) {
        self.set.insert(name, value);
    }

    /// Times and ids that are not there are left out, as the Go manager does.
    fn put_unless_none(&mut self, name: &'static str, value: Option<Bson>) {
        match value {
            Some(value) => self.put(name, value),
            None => self.unset.push(name),
        }
    }

    fn put_time(&mut self, name: &'static str, ms: i64) {
        self.put_unless_none(name, (ms != 0).then_some(Bson::Int64(ms)));
    }

    /// The update that makes the document so, with this version.
    pub(super) fn update(self, version: i64) -> Fields {
        let mut set = self.set;
        set.insert(VERSION, version);
        let mut update = doc! { "$set": set };
        if !self.unset.is_empty() {
            let unset: Fields = self.unset.into_iter().map(|name| (name.to_owned(), "".into())).collect();
            update.insert("$unset", unset);
        }
        update
    }
}

fn oid(id: Id) -> Bson {
    Bson::ObjectId(ObjectId::from_bytes(*id.as_bytes()))
}

/// As the Go driver writes an `int`: the narrower type when it fits.
fn int(value: i64) -> Bson {
    i32::try_from(value).map_or(Bson::Int64(value), Bson::Int32)
}

/// Numbers of ours end at 2^53 - 1, or grow by one at a time.
fn number(value: u64) -> Bson {
    Bson::Int64(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
