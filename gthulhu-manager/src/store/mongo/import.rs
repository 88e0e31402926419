//! A database that is being filled from another store. Until it is whole, it carries a mark, and nobody opens it.

use std::path::Path;

use mongodb::bson::{Document as Fields, doc};

use super::super::audit::Head;
use super::super::migrate::Target;
use super::super::{Document, Key, Store, StoreError};
use super::documents::{AUDIT, COLLECTIONS, STATE, Strays, encode, place};
use super::lease::Times;
use super::open::OpenError;
use super::schema::IMPORT;
use super::{MongoStore, ledger};
use crate::config::Mongodb;

/// The database.
pub struct MongoImport(MongoStore);

impl MongoImport {
    /// Begins to fill the database, which must have no documents, or goes on with it.
    pub fn open(config: &Mongodb, state: &Path) -> Result<Self, OpenError> {
        let store = MongoStore::open_with(config, state, Times::USUAL, true)?;
        let server = store.shared.server.clone();
        let begin = async move {
            if server.one(STATE, doc! { "_id": IMPORT }).await?.is_some() {
                return Ok(true);
            }
            for collection in COLLECTIONS.iter().chain(&[AUDIT]) {
                if server.one(collection, doc! {}).await?.is_some() {
                    return Ok(false);
                }
            }
            let mark = doc! { "q": { "_id": IMPORT }, "u": { "$set": { "begun": true } }, "upsert": true };
            server.write(doc! { "update": STATE, "updates": [mark] }).await?;
            Ok(true)
        };
        let refused = |reason: String| OpenError::Refused {
            at: config.address(),
            database: config.database_name().to_owned(),
            reason,
        };
        match store.thread.wait(begin) {
            Ok(true) => Ok(Self(store)),
            Ok(false) => Err(refused("there are documents already; migrate into an empty database".into())),
            Err(trouble) => Err(refused(StoreError::from(trouble).to_string())),
        }
    }

    fn write(&self, command: Fields) -> Result<(), StoreError> {
        let server = self.0.shared.server.clone();
        Ok(self.0.thread.wait(async move { server.write(command).await.map(drop) })?)
    }
}

impl Target for MongoImport {
    fn store(&self) -> &dyn Store {
        &self.0
    }

    fn put(&self, documents: &[(Document, u64)]) -> Result<(), StoreError> {
        for (document, version) in documents {
            let (collection, id) = place(&document.key());
            let version = i64::try_from(*version).unwrap_or(i64::MAX);
            let update = encode(document, &Strays::default()).update(version);
            let statement = doc! { "q": { "_id": id }, "u": update, "upsert": true };
            self.write(doc! { "update": collection, "updates": [statement] })?;
        }
        Ok(())
    }

    fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        for key in keys {
            let (collection, id) = place(key);
            self.write(doc! { "delete": collection, "deletes": [{ "q": { "_id": id }, "limit": 1 }] })?;
        }
        Ok(())
    }

    fn append(&self, first: u64, records: &[Vec<u8>]) -> Result<(), StoreError> {
        let number = |at: usize| i64::try_from(first + at as u64).unwrap_or(i64::MAX);
        let statement = |(at, bytes): (usize, &Vec<u8>)| {
            let record = String::from_utf8_lossy(bytes).into_owned();
            doc! { "q": { "_id": number(at) }, "u": { "$setOnInsert": { "record": record } }, "upsert": true }
        };
        let statements: Vec<Fields> = records.iter().enumerate().map(statement).collect();
        self.write(doc! { "update": AUDIT, "updates": statements })
    }

    fn finish(self: Box<Self>, newest: u64, head: &Head) -> Result<(), StoreError> {
        let (server, term) = (self.0.shared.server.clone(), self.0.term.clone());
        let (newest, head) = (i64::try_from(newest).unwrap_or(i64::MAX), head.clone());
        let finish = async move {
            ledger::found(&server, &term, newest, &head).await?;
            let mark = doc! { "q": { "_id": IMPORT }, "limit": 1 };
            server.write(doc! { "delete": STATE, "deletes": [mark] }).await.map(drop)
        };
        Ok(self.0.thread.wait(finish)?)
    }
}
