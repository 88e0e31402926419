//! `kill -9` while eight writers write, and again while the manager recovers: every acknowledged operation is there
//! afterwards, with its audit record, and every other one entirely or not at all.
//!
//! `GTHULHU_KILLS` sets how often.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::manager::{Manager, Place};
use crate::record::{Operation, Totals};
use crate::store::Trail;
use crate::wire::Wire;
use crate::writers::{Writer, create};

const KILLS: u64 = 10;
const WRITERS: usize = 8;
/// Acknowledged operations between two kills, at least.
const OPERATIONS: u64 = 50;
/// Opening the store takes about as long; one of so many milliseconds is drawn.
const RECOVERY_MS: u64 = 12;

#[test]
fn no_acknowledged_operation_is_lost_by_a_kill_and_no_half_one_is_left() {
    let kills = std::env::var("GTHULHU_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let place = Place::new();
    let mut run = Run::begin(&place);
    for kill in 0..kills {
        if kill % 4 == 3 {
            run.kill_while_recovering(kill);
        } else {
            run.kill_while_writing(kill);
        }
        run.judge(&place);
    }
    let manager = place.start();
    assert_eq!(listed(&manager, &run.token), run.strategies, "the manager shows what the file has");
    drop(manager);
    // The whole chain once more, from its first record.
    assert_eq!(Trail::start().look(place.store()).torn, [""; 0]);

    let Totals {
        kills,
        while_recovering,
        acknowledged,
        unanswered_kept,
        unanswered_gone,
        lost,
        resurrected,
        torn,
    } = run.totals;
    println!(
        "kill -9: {kills} kills, {while_recovering} of them while recovering; {acknowledged} operations acknowledged to \
         {WRITERS} writers; lost {}, resurrected {}, torn {}; {unanswered_kept} unanswered ones kept whole, \
         {unanswered_gone} gone whole. What a process wrote survives it in the system's memory: a sync that is missing \
         does not show here, but in the tests of power cuts.",
        lost.len(),
        resurrected.len(),
        torn.len(),
    );
    assert_eq!((&lost[..], &resurrected[..], &torn[..]), (&[][..], &[][..], &[][..]));
    assert!(acknowledged >= OPERATIONS * (kills - while_recovering) && while_recovering * 5 >= kills);
}

/// Everything that outlives the manager.
struct Run<'p> {
    place: &'p Place,
    writers: Vec<Writer>,
    trail: Trail,
    /// One token for all lives: the key survives, so it does.
    token: String,
    /// The strategy that all writers change.
    shared: String,
    /// What was there after the last kill: text by id.
    strategies: BTreeMap<String, String>,
    /// What was done since.
    done: Vec<Operation>,
    totals: Totals,
}

impl<'p> Run<'p> {
    fn begin(place: &'p Place) -> Self {
        let manager = place.start();
        let token = manager.login();
        let mut wire = Wire::connect(manager.address(), &token).unwrap();
        let shared = create(&mut wire, "shared").unwrap().unwrap();
        manager.kill();
        let mut trail = Trail::start();
        let found = trail.look(place.store());
        assert_eq!(found.torn, [""; 0]);
        Self {
            place,
            writers: (0..WRITERS).map(Writer::new).collect(),
            trail,
            token,
            shared,
            strategies: found.strategies,
            done: Vec::new(),
            totals: Totals::default(),
        }
    }

    fn kill_while_writing(&mut self, kill: u64) {
        let manager = self.place.start();
        assert_eq!(listed(&manager, &self.token), self.strategies, "the manager shows what the file has");
        let (acknowledged, heard) = mpsc::channel();
        let (address, token, shared, end) =
            (manager.address(), &self.token, &self.shared, &AtomicBool::new(false));
        self.done = thread::scope(|scope| {
            let work = |writer| {
                let acknowledged = acknowledged.clone();
                scope.spawn(move || Writer::work(writer, address, token, shared, &acknowledged, end))
            };
            let running: Vec<_> = self.writers.iter_mut().map(work).collect();
            // When no writer is left, nothing comes any more: that fails instead of being waited for.
            drop(acknowledged);
            for _ in 0..OPERATIONS + kill * 37 % 100 {
                heard.recv().unwrap();
            }
            end.store(true, Ordering::Relaxed);
            manager.kill();
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
    }

    /// Kills it between the moment at which it goes to its store and the one at which it listens.
    #[expect(clippy::disallowed_methods, reason = "not to be right but to be somewhere else each time")]
    fn kill_while_recovering(&mut self, kill: u64) {
        for attempt in 0.. {
            let mut starting = self.place.spawn();
            starting.until("reason").unwrap();
            thread::sleep(Duration::from_millis((kill * 7 + attempt * 5) % RECOVERY_MS));
            if !starting.kill() {
                break;
            }
        }
        self.totals.while_recovering += 1;
    }

    /// Compares the file that the kill left with the writers' record.
    fn judge(&mut self, place: &Place) {
        self.totals.kills += 1;
        let found = self.trail.look(place.store());
        self.totals.compare(&self.strategies, &self.done, &found);
        self.done.clear();
        for writer in &mut self.writers {
            let created =
                found.strategies.iter().filter(|(id, text)| **id != self.shared && writer.wrote(text));
            let created: Vec<String> = created.map(|(id, _)| id.clone()).collect();
            writer.look(|id| found.strategies.contains_key(id), created.into_iter());
        }
        self.strategies = found.strategies;
    }
}

/// The strategies as the manager lists them: text by id.
fn listed(manager: &Manager, token: &str) -> BTreeMap<String, String> {
    let mut wire = Wire::connect(manager.address(), token).unwrap();
    let answer = wire.call("GET", "/api/v1/strategies/self", "list", &Value::Null).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let listed = answer.data()["strategies"].take();
    listed.as_array().unwrap().iter().map(|row| (text(&row["ID"]), text(&row["StrategyNamespace"]))).collect()
}
