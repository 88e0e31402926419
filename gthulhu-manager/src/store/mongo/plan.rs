//! What a batch comes to: commands that each carry the versions they rest on, and can be carried out again without
//! harm.

use std::collections::{BTreeMap, HashMap};

use mongodb::bson::{Bson, Document as Fields, doc};

use super::super::{Batch, Key};
use super::documents::{AUDIT, FOREIGN, Strays, VERSION, encode, place, unique_field};
use super::ledger::Ledger;
use super::trouble::Trouble;

/// How many statements one command has at most.
const STATEMENTS: usize = 1000;

/// One commit, computed.
pub(super) struct Plan {
    /// The ledger when it is done.
    pub(super) to: Ledger,
    /// Changes of documents, then the audit records.
    pub(super) commands: Vec<Fields>,
    /// Which document each statement of each command is about; none for audit records.
    about: Vec<Vec<Key>>,
}

/// What a look at the documents of a batch asks for: per collection the ids.
pub(super) fn questions(batch: &Batch) -> BTreeMap<&'static str, Vec<Bson>> {
    let mut ids: BTreeMap<_, Vec<Bson>> = BTreeMap::new();
    for (key, _) in batch.expectations() {
        let (collection, id) = place(key);
        ids.entry(collection).or_default().push(id);
    }
    ids
}

/// Compares what was found with what the batch rests on. `found`: text of the key's place -> version.
pub(super) fn judge(batch: &Batch, found: &HashMap<(&str, String), i64>) -> Result<(), Trouble> {
    for (key, expected) in batch.expectations() {
        let (collection, id) = place(key);
        let version = found.get(&(collection, id.to_string())).copied().unwrap_or(0);
        if u64::try_from(version) != Ok(*expected) {
            return Err(Trouble::Conflict(key.clone()));
        }
    }
    Ok(())
}

/// The id and the version of a document that was found.
pub(super) fn identity(fields: &Fields) -> (String, i64) {
    let id = fields.get("_id").map(Bson::to_string).unwrap_or_default();
    let version = match fields.get(VERSION) {
        Some(Bson::Int64(version)) => *version,
        Some(Bson::Int32(version)) => (*version).into(),
        _ => FOREIGN,
    };
    (id, version)
}

/// A value that no other document of a collection may have.
pub(super) struct Claim {
    pub(super) collection: &'static str,
    pub(super) field: &'static str,
    pub(super) value: Bson,
    /// Whose it is.
    pub(super) key: Key,
}

/// The unique values that the batch's documents bring.
pub(super) fn claims(batch: &Batch) -> Vec<Claim> {
    let mut claims = Vec::new();
    for document in batch.puts() {
        let key = document.key();
        let (collection, _) = place(&key);
        let Some(field) = unique_field(collection) else { continue };
        if let Some(value) = encode(document, &Strays::default()).set.remove(field) {
            claims.push(Claim { collection, field, value, key });
        }
    }
    claims
}

impl Plan {
    /// Computes the commit of `batch` that follows `from`.
    pub(super) fn new(batch: &Batch, from: &Ledger, nonce: &str, strays: &Strays) -> Self {
        let mut head = from.head.clone();
        let records: Vec<Fields> = batch
            .entries()
            .iter()
            .map(|entry| {
                let text = String::from_utf8_lossy(&head.append(entry)).into_owned();
                let seq = i64::try_from(head.seq()).unwrap_or(i64::MAX);
                doc! { "q": { "_id": seq }, "u": { "$setOnInsert": { "record": text } }, "upsert": true }
            })
            .collect();
        let to = from.next(head, nonce.to_owned());
        let mut plan = Self { to, commands: Vec::new(), about: Vec::new() };
        plan.add_documents(batch, strays);
        for chunk in records.chunks(STATEMENTS) {
            plan.commands.push(doc! { "update": AUDIT, "updates": chunk.to_vec(), "ordered": false });
            plan.about.push(Vec::new());
        }
        plan
    }

    fn add_documents(&mut self, batch: &Batch, strays: &Strays) {
        let expected: HashMap<&Key, i64> = batch
            .expectations()
            .iter()
            .map(|(key, version)| (key, i64::try_from(*version).unwrap_or(i64::MAX)))
            .collect();
        let mut puts: BTreeMap<&'static str, Vec<(Key, Fields)>> = BTreeMap::new();
        for document in batch.puts() {
            let key = document.key();
            let (collection, id) = place(&key);
            let before = expected.get(&key).copied().unwrap_or(0);
            let update = encode(document, strays).update(self.to.count);
            let statement = match before {
                0 => doc! { "q": { "_id": id, VERSION: self.to.count }, "u": update, "upsert": true },
                before => doc! { "q": { "_id": id, VERSION: at(before, self.to.count) }, "u": update },
            };
            puts.entry(collection).or_default().push((key, statement));
        }
        self.add("update", "updates", puts);
        let mut deletes: BTreeMap<&'static str, Vec<(Key, Fields)>> = BTreeMap::new();
        for key in batch.deletes() {
            let (collection, id) = place(key);
            let before = expected.get(key).copied().unwrap_or(0);
            let statement = doc! { "q": { "_id": id, VERSION: at(before, self.to.count) }, "limit": 1 };
            deletes.entry(collection).or_default().push((key.clone(), statement));
        }
        self.add("delete", "deletes", deletes);
    }

    fn add(&mut self, verb: &str, list: &str, statements: BTreeMap<&'static str, Vec<(Key, Fields)>>) {
        for (collection, statements) in statements {
            for chunk in statements.chunks(STATEMENTS) {
                let (keys, chunk): (Vec<Key>, Vec<Fields>) = chunk.iter().cloned().unzip();
                self.commands.push(doc! { verb: collection, list: chunk, "ordered": false });
                self.about.push(keys);
            }
        }
    }

    /// How many documents the command must find or make.
    pub(super) fn reach(command: &Fields) -> i64 {
        let statements = ["updates", "deletes"].iter().find_map(|list| command.get_array(*list).ok());
        statements.map_or(0, |list| i64::try_from(list.len()).unwrap_or(i64::MAX))
    }

    /// Which document a statement is about.
    pub(super) fn key(&self, command: usize, statement: usize) -> Option<&Key> {
        self.about.get(command)?.get(statement)
    }
}

/// The version that a statement rests on, or the one that it makes: carried out again it changes nothing. A document
/// without a version is one of version [`FOREIGN`].
fn at(before: i64, after: i64) -> Fields {
    let mut versions = vec![Bson::Int64(before), Bson::Int64(after)];
    if before == FOREIGN {
        versions.push(Bson::Null);
    }
    doc! { "$in": versions }
}
