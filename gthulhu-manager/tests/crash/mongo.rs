//! The same on MongoDB, where two can be killed: the server and the manager. Eight writers write meanwhile. A server that
//! comes back is used again by a manager that did not notice more than that.
//!
//! `GTHULHU_MONGO_KILLS` sets how often each of them is killed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use gthulhu_local::mongo::{MongoServer, PASSWORD, USER};
use gthulhu_manager::config::Mongodb;
use gthulhu_manager::store::mongo::MongoStore;
use serde_json::Value;
use tempfile::TempDir;

use crate::manager::{Manager, Place};
use crate::record::{Operation, Totals};
use crate::store::{Found, Trail};
use crate::wire::Wire;
use crate::writers::{Writer, create};

const KILLS: u64 = 1;
const WRITERS: usize = 8;
/// Acknowledged operations between two kills, at least.
const OPERATIONS: u64 = 50;
const DATABASE: &str = "crash";
/// A manager that never gets ready fails the test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What outlives the kills.
struct Run {
    place: Place,
    server: MongoServer,
    _dir: TempDir,
    writers: Vec<Writer>,
    trail: Trail,
    token: String,
    shared: String,
    strategies: BTreeMap<String, String>,
    totals: Totals,
}

#[test]
fn neither_a_killed_server_nor_a_killed_manager_loses_what_was_acknowledged() {
    const NAME: &str = "neither_a_killed_server_nor_a_killed_manager_loses_what_was_acknowledged";
    if let Err(reason) = gthulhu_local::mongo::program() {
        println!("SKIPPED {NAME}: no MongoDB server: {reason}");
        return;
    }
    let kills = std::env::var("GTHULHU_MONGO_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let mut run = Run::begin();
    for round in 0..kills {
        run.kill_the_manager(round);
        run.kill_the_server(round);
    }
    let Totals { acknowledged, unanswered_kept, unanswered_gone, lost, resurrected, torn, .. } = &run.totals;
    println!(
        "kill -9 on {}: the server {kills} times, the manager {kills} times; {acknowledged} operations acknowledged to \
         {WRITERS} writers; lost {}, resurrected {}, torn {}; {unanswered_kept} unanswered ones kept whole, \
         {unanswered_gone} gone whole",
        run.server.version(),
        lost.len(),
        resurrected.len(),
        torn.len(),
    );
    assert_eq!((&lost[..], &resurrected[..], &torn[..]), (&[][..], &[][..], &[][..]));
    assert!(*acknowledged >= OPERATIONS * kills * 2);
}

impl Run {
    fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = MongoServer::start(dir.path()).unwrap();
        let place = Place::with_mongodb(&server.section(DATABASE));
        let manager = place.start();
        let token = manager.login();
        let mut wire = Wire::connect(manager.address(), &token).unwrap();
        let shared = create(&mut wire, "shared").unwrap().unwrap();
        manager.kill();
        let writers = (0..WRITERS).map(Writer::new).collect();
        let (trail, strategies, totals) = (Trail::start(), BTreeMap::new(), Totals::default());
        let mut run = Self { place, server, _dir: dir, writers, trail, token, shared, strategies, totals };
        run.strategies = run.look().strategies;
        run
    }

    /// What the database has; no manager runs.
    fn look(&mut self) -> Found {
        let config = Mongodb {
            host: "127.0.0.1".into(),
            port: self.server.port().to_string(),
            user: USER.into(),
            password: PASSWORD.into(),
            database: DATABASE.into(),
            options: "authSource=admin&directConnection=true".into(),
            ..Mongodb::default()
        };
        let store = MongoStore::open(&config, &self.place.state()).unwrap();
        self.trail.look_at(&store)
    }

    fn kill_the_manager(&mut self, round: u64) {
        let manager = self.place.start();
        let address = manager.address();
        let done = self.write(address, round, |_| manager.kill());
        self.judge(&done);
    }

    fn kill_the_server(&mut self, round: u64) {
        let manager = self.place.start();
        let done = self.write(manager.address(), round, MongoServer::kill);
        self.assert_ready(&manager, false);
        self.server.restart().unwrap();
        // By itself.
        self.assert_ready(&manager, true);
        manager.kill();
        self.judge(&done);
    }

    /// Lets all writers work, and then this happen.
    fn write(
        &mut self,
        address: SocketAddr,
        round: u64,
        kill: impl FnOnce(&mut MongoServer),
    ) -> Vec<Operation> {
        let (acknowledged, heard) = mpsc::channel();
        let (token, shared, server, end) =
            (&self.token, &self.shared, &mut self.server, &AtomicBool::new(false));
        thread::scope(|scope| {
            let work = |writer| {
                let acknowledged = acknowledged.clone();
                scope.spawn(move || Writer::work(writer, address, token, shared, &acknowledged, end))
            };
            let running: Vec<_> = self.writers.iter_mut().map(work).collect();
            // When no writer is left, nothing comes any more: that fails instead of being waited for.
            drop(acknowledged);
            for _ in 0..OPERATIONS + round * 37 % 50 {
                heard.recv().unwrap();
            }
            end.store(true, Ordering::Relaxed);
            kill(server);
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    }

    /// Waits until the manager says so of its store.
    fn assert_ready(&self, manager: &Manager, wanted: bool) {
        let begun = Instant::now();
        let mut wire = Wire::connect(manager.address(), &self.token).unwrap();
        loop {
            let told = wire.call("GET", "/readyz?verbose", "ready", &Value::Null).unwrap().text();
            if told.contains("accepts changes; transactions: yes") == wanted {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "ready: not {wanted}: {told}");
            thread::yield_now();
        }
    }

    fn judge(&mut self, done: &[Operation]) {
        self.totals.kills += 1;
        let found = self.look();
        self.totals.compare(&self.strategies, done, &found);
        for writer in &mut self.writers {
            let created =
                found.strategies.iter().filter(|(id, text)| **id != self.shared && writer.wrote(text));
            let created: Vec<String> = created.map(|(id, _)| id.clone()).collect();
            writer.look(|id| found.strategies.contains_key(id), created.into_iter());
        }
        self.strategies = found.strategies;
    }
}
