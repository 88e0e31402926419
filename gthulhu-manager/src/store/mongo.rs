//! The store as a database of a MongoDB server, shared with nobody while this process has it.
//!
//! Users, roles and strategies lie where the Go manager keeps them, in its spellings; see [`documents`]. Every commit
//! waits until a majority has it in its journal. One whose outcome is not known, because the connection broke or the
//! server was killed, is settled before anything else is done; see [`ledger`]. A server that is away is waited for: the
//! store refuses what it cannot do meanwhile, and is good again when the server is.

mod documents;
mod import;
mod lease;
mod ledger;
mod open;
mod options;
mod plan;
mod schema;
mod server;
#[cfg(test)]
mod tests;
mod thread;
mod trouble;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mongodb::bson::{Document as Fields, doc};
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;

pub use import::MongoImport;
pub use open::OpenError;

use super::{Batch, CommitError, Committed, Document, Snapshot, Standing, Store, StoreError};
use crate::config::Mongodb;
use documents::{AUDIT, COLLECTIONS, EPOCH, STATE, Strays};
use lease::Times;
use ledger::Term;
use open::Place;
use server::Server;
use thread::Thread;
use trouble::Trouble;
use writer::Writer;

/// A store in a database.
pub struct MongoStore {
    shared: Arc<Shared>,
    term: Term,
    times: Times,
    standing: Arc<watch::Sender<Standing>>,
    thread: Thread,
    /// Renews the lease.
    keeper: AbortHandle,
    /// Held as long as the store is open.
    _place: Place,
}

struct Shared {
    server: Server,
    writer: Mutex<Writer>,
    transactions: Arc<AtomicBool>,
    /// Documents that make no sense, at the last look.
    refused: AtomicUsize,
    strays: RwLock<Strays>,
}

impl MongoStore {
    /// Opens the database, or prepares it if it is empty. What has to be kept beside it lies in `state`. Waits up to 20 s
    /// for another manager to end.
    pub fn open(config: &Mongodb, state: &Path) -> Result<Self, OpenError> {
        Self::open_with(config, state, Times::USUAL, false)
    }

    fn open_with(config: &Mongodb, state: &Path, times: Times, importing: bool) -> Result<Self, OpenError> {
        let place = Place::take(state)?;
        let io_error = |source| OpenError::Io { path: "a thread".into(), source };
        let thread = Thread::start().map_err(io_error)?;
        let (config, state, holder) = (config.clone(), state.to_owned(), place.holder.clone());
        let address = config.address();
        let opening = async move { open::open(&config, &state, &holder, times, importing).await };
        let opened = thread.wait_at_most(Duration::MAX, opening);
        let silent = || OpenError::Unreachable {
            at: address.clone(),
            reason: "opening ended without an answer".into(),
        };
        let open::Opened { server, term, transactions } = opened.ok_or_else(silent)??;
        let transactions = Arc::new(AtomicBool::new(transactions));
        let writer = Writer::new(server.clone(), term.clone(), Arc::clone(&transactions));
        let standing = Arc::new(watch::Sender::new(Standing::Holds));
        let keeping = lease::keep(server.clone(), term.clone(), times, Arc::clone(&standing));
        let keeper = thread.spawn(keeping).ok_or_else(silent)?;
        let shared = Arc::new(Shared {
            server,
            writer: Mutex::new(writer),
            transactions,
            refused: AtomicUsize::new(0),
            strays: RwLock::default(),
        });
        Ok(Self { shared, term, times, standing, thread, keeper, _place: place })
    }

    /// Whether the server has transactions.
    pub fn has_transactions(&self) -> bool {
        self.shared.transactions.load(Ordering::Acquire)
    }

    /// Who has the store, as another manager would be told.
    pub fn holder(&self) -> &str {
        &self.term.holder
    }
}

impl Store for MongoStore {
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let shared = Arc::clone(&self.shared);
        Ok(self.thread.wait(async move { shared.snapshot().await })?)
    }

    fn commit(&self, batch: &Batch) -> Result<Committed, CommitError> {
        let (shared, batch) = (Arc::clone(&self.shared), batch.clone());
        let committing = async move {
            let strays = shared.strays.read().unwrap_or_else(PoisonError::into_inner).clone();
            Ok(shared.writer.lock().await.commit(&batch, &strays).await)
        };
        self.thread.wait(committing)?
    }

    fn audit(&self, after: u64, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let above = doc! { "_id": { "$gt": clamped(after) } };
        Ok(self.thread.wait(async move { shared.records(above, 1, limit).await })?)
    }

    fn audit_before(&self, before: u64, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let below = doc! { "_id": { "$lt": clamped(before) } };
        Ok(self.thread.wait(async move { shared.records(below, -1, limit).await })?)
    }

    fn standing(&self) -> Option<watch::Receiver<Standing>> {
        Some(self.standing.subscribe())
    }

    fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::Relaxed)
    }

    fn remarks(&self) -> String {
        let transactions = if self.has_transactions() { "transactions: yes" } else { "transactions: no" };
        match self.refused() {
            0 => transactions.into(),
            refused => format!("{transactions}; documents that make no sense: {refused}"),
        }
    }
}

impl Drop for MongoStore {
    fn drop(&mut self) {
        self.keeper.abort();
        let (server, term) = (self.shared.server.clone(), self.term.clone());
        self.thread.wait_at_most(self.times.farewell, async move { lease::give_back(&server, &term).await });
    }
}

impl Shared {
    /// Everything, while nothing is written.
    async fn snapshot(&self) -> Result<Snapshot, Trouble> {
        let mut writer = self.writer.lock().await;
        writer.settle().await?;
        let (mut strays, mut found, mut refused) = (Strays::default(), Vec::new(), 0);
        let everything = COLLECTIONS.iter().map(|name| (*name, doc! {}));
        for (collection, filter) in everything.chain([(STATE, doc! { "_id": EPOCH })]) {
            let read = |fields: Fields| {
                match documents::decode(collection, &fields, &mut strays) {
                    Ok((document, version)) => found.push((document, version)),
                    Err(reason) => {
                        refused += 1;
                        let document = documents::name(collection, &fields);
                        tracing::warn!(document, reason, "a document makes no sense: it is left out");
                    }
                }
                Ok(())
            };
            self.server.all(collection, filter, doc! {}, 0, read).await?;
        }
        drop(writer);
        self.refused.store(refused, Ordering::Relaxed);
        *self.strays.write().unwrap_or_else(PoisonError::into_inner) = strays;
        found.sort_by_cached_key(|(document, _): &(Document, u64)| document.key().to_string());
        Ok(Snapshot { documents: found })
    }

    async fn records(&self, filter: Fields, order: i32, limit: usize) -> Result<Vec<Vec<u8>>, Trouble> {
        let mut records = Vec::new();
        let Some(limit) = i64::try_from(limit).ok().filter(|limit| *limit != 0).or((limit > 0).then_some(0))
        else {
            return Ok(records);
        };
        let read = |fields: Fields| {
            let text = fields
                .get_str("record")
                .map_err(|_| Trouble::Passing("an audit record has no text".into()))?;
            records.push(text.as_bytes().to_vec());
            Ok(())
        };
        self.server.all(AUDIT, filter, doc! { "_id": order }, limit, read).await?;
        Ok(records)
    }
}

/// Numbers of records never come near the end of either type.
fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
