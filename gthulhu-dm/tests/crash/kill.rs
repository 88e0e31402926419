//! `kill -9` while sets are pushed and edited without pause, and while the node starts: it holds what it acknowledged
//! last, or what it was asked for next, and nothing in between.
//!
//! `GTHULHU_KILLS` sets how often.

use std::time::Duration;

use gthulhu_http::client::{Client, ClientOptions};
use tokio::sync::mpsc;

use crate::node::{Node, Place};
use crate::set::{Change, Held, ask, told};

const KILLS: u64 = 12;
/// Acknowledged changes between two kills, at least.
const CHANGES: u64 = 12;
/// A change takes about as long.
const CHANGE_MICROS: u64 = 5000;

/// What the pusher knows when the node stops answering.
struct Known {
    acknowledged: Held,
    /// With the change that was not answered.
    possible: Held,
    changes: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_change_is_lost_by_a_kill_and_no_half_one_is_held() {
    let kills = std::env::var("GTHULHU_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let place = Place::new();
    let (mut known, mut while_starting) = (Known::nothing(), 0);
    let (mut changes, mut kept, mut gone) = (0, 0, 0);
    for kill in 0..kills {
        if kill % 4 == 3 {
            while !kill_while_starting(&place) {}
            while_starting += 1;
        }
        let (mut process, node) = place.start();
        let client = Client::new(ClientOptions::default());
        let told = told(&client, &node).await;
        let held = [known.acknowledged, known.possible].into_iter().find(|held| held.is(&told));
        let held = held.unwrap_or_else(|| panic!("{:?} or {:?}: {told}", known.acknowledged, known.possible));
        kept += u64::from(held == known.possible && held != known.acknowledged);
        gone += u64::from(held == known.acknowledged && held != known.possible);

        let (heard, mut acknowledged) = mpsc::unbounded_channel();
        let pushing = tokio::spawn(push(client, node, held, heard));
        for _ in 0..CHANGES + kill * 5 % 9 {
            acknowledged.recv().await.unwrap();
        }
        wander(kill);
        process.kill();
        known = pushing.await.unwrap();
        changes += known.changes;
    }
    assert!(!place.state().join("dm-state.corrupt").exists(), "a kill never leaves a damaged file");
    println!(
        "kill -9 of the decision maker: {} kills, {while_starting} of them while it started; {changes} changes \
         acknowledged, 0 lost, 0 torn; {kept} unanswered ones kept whole, {gone} gone whole. What a process wrote survives \
         it in the system's memory: that the file is synced before the answer is shown by failing syncs, not here.",
        kills + while_starting
    );
}

/// Changes what the node holds until it stops answering.
async fn push(client: Client, node: Node, held: Held, acknowledged: mpsc::UnboundedSender<()>) -> Known {
    let mut known = Known { acknowledged: held, possible: held, changes: 0 };
    loop {
        let generation = known.acknowledged.generation + 1;
        let change = if known.changes % 5 == 4 { Change::Remove } else { Change::Push(generation) };
        known.possible = known.acknowledged.after(change);
        match ask(&client, &node, change).await {
            Ok(status) => assert_eq!(status, 200, "{change:?}"),
            Err(_) => return known,
        }
        known.acknowledged = known.possible;
        known.changes += 1;
        // Nobody counts any more once the kill is on its way.
        let _ = acknowledged.send(());
    }
}

/// Goes on to another moment of the change that is being made.
#[expect(clippy::disallowed_methods, reason = "not to be right but to be somewhere else each time")]
fn wander(kill: u64) {
    std::thread::sleep(Duration::from_micros(kill * 377 % CHANGE_MICROS));
}

/// Whether it was killed before it listened.
fn kill_while_starting(place: &Place) -> bool {
    let mut process = place.spawn(&[]);
    // It has no state to read before it has made its lock.
    while !place.state().exists() {
        std::thread::yield_now();
    }
    process.kill();
    process.listening().is_err()
}

impl Known {
    fn nothing() -> Self {
        Self { acknowledged: Held::default(), possible: Held::default(), changes: 0 }
    }
}
