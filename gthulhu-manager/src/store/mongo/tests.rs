//! The store on a real server, and on one that follows a script.
//!
//! The real one is what `tools/mongo.sh` builds; what it does not show (a standalone that refuses transactions, a
//! majority that does not come, a primary that steps down) the scripted one does.

mod lease;
mod open;
mod script;
mod scripted;
mod tls;

use std::ffi::OsString;

use gthulhu_local::mongo::{MongoServer, PASSWORD, USER};
use tempfile::TempDir;

use super::*;
use crate::store::conformance;

/// A running server and a state directory.
pub(super) struct Rig {
    pub(super) server: MongoServer,
    pub(super) dir: TempDir,
}

impl Rig {
    /// `None`, and it says so, where the server is not there.
    pub(super) fn start(test: &str) -> Option<Self> {
        Self::start_with(test, |_| Vec::new())
    }

    /// With what it makes of the directory as arguments of the server.
    pub(super) fn start_with(test: &str, arguments: impl FnOnce(&Path) -> Vec<OsString>) -> Option<Self> {
        if let Err(reason) = gthulhu_local::mongo::program() {
            println!("SKIPPED {test}: no MongoDB server: {reason}");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let server = MongoServer::start_with(dir.path(), &arguments(dir.path())).unwrap();
        println!("{test}: on {}", server.version());
        Some(Self { server, dir })
    }

    pub(super) fn config(&self, database: &str) -> Mongodb {
        Mongodb {
            host: "127.0.0.1".into(),
            port: self.server.port().to_string(),
            user: USER.into(),
            password: PASSWORD.into(),
            database: database.into(),
            options: "authSource=admin&directConnection=true&ssl=false".into(),
            ..Mongodb::default()
        }
    }

    pub(super) fn state(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    pub(super) fn open(&self, database: &str) -> MongoStore {
        MongoStore::open(&self.config(database), &self.state()).unwrap()
    }

    /// The same as if the server had no transactions.
    pub(super) fn open_standalone(&self, database: &str) -> MongoStore {
        let store = self.open(database);
        store.shared.transactions.store(false, Ordering::Release);
        store
    }

    /// The database itself, past the store: what `work` makes of it.
    pub(super) fn raw<T>(&self, database: &str, work: impl AsyncFnOnce(mongodb::Database) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let config = self.config(database);
            let mut options = options::client_options(&config, self.dir.path()).await.unwrap();
            // A test waits for a slow machine, which the manager has no reason to.
            options.connect_timeout = Some(Duration::from_secs(60));
            options.server_selection_timeout = Some(Duration::from_secs(120));
            let client = mongodb::Client::with_options(options).unwrap();
            work(client.database(database)).await
        })
    }
}

impl MongoStore {
    /// As if the process were slow: it writes, and does not renew its lease.
    fn stop_renewing(&self) {
        self.keeper.abort();
    }

    /// Gives up on a commit sooner.
    fn hurry(&self) {
        self.give(Duration::from_millis(300));
    }

    /// Gives up on a commit after so long.
    fn give(&self, patience: Duration) {
        self.shared.writer.blocking_lock().hurry(patience);
    }

    /// As if the process were killed: nothing is given back.
    fn die(mut self) {
        // Of this term there is no lease.
        self.term.number = 0;
    }
}

#[test]
fn it_conforms() {
    let Some(rig) = Rig::start("it_conforms") else { return };
    let store = rig.open("with");
    assert!(store.has_transactions(), "{}", store.remarks());
    drop(store);
    conformance::all(&|| Box::new(rig.open("with")));
}

#[test]
fn it_conforms_without_transactions() {
    let Some(rig) = Rig::start("it_conforms_without_transactions") else { return };
    conformance::all(&|| Box::new(rig.open_standalone("without")));
    assert_eq!(rig.open_standalone("without").remarks(), "transactions: no");
}
