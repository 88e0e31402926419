//! The client of the feed with a real decision maker, which is killed, started again and asked to stop.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod dm;

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gthulhu_lib::wire::SchedulerMetrics;
use gthulhu_lib::wire::feed::{Counters, Role, SchedulerState};
use gthulhu_scx::feed::{self, FeedInput};
use serde_json::json;

use dm::Place;

/// Far beyond what anything here takes; a test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

fn next(inputs: &Receiver<FeedInput>) -> FeedInput {
    inputs.recv_timeout(PATIENCE).unwrap()
}

/// The pair and the pods of the next set.
fn set(inputs: &Receiver<FeedInput>) -> (u64, u64, Vec<String>) {
    let input = next(inputs);
    let FeedInput::Intents { epoch, generation, set, .. } = input else { panic!("{input:?}") };
    (epoch, generation, set.into_iter().map(|intent| intent.pod_id).collect())
}

fn is_up(inputs: &Receiver<FeedInput>) {
    let input = next(inputs);
    assert!(matches!(input, FeedInput::Up { .. }), "{input:?}");
}

fn down(inputs: &Receiver<FeedInput>) -> String {
    let input = next(inputs);
    let FeedInput::Down { reason } = input else { panic!("{input:?}") };
    reason
}

#[test]
fn a_set_survives_the_decision_maker_and_moves_on_with_the_next_push() {
    let place = Place::new();
    let (sender, inputs) = channel();
    let deliver = move |input| sender.send(input).is_ok();
    // Before there is a decision maker, or a socket.
    let handle = feed::connect(place.socket(), Role::Scheduler, deliver).unwrap();
    let dm = place.start();
    is_up(&inputs);
    assert_eq!(set(&inputs), (0, 0, vec![]));

    let push = |generation| json!({"intents": [{"podID": "a"}, {"podID": "b"}], "epoch": 3, "generation": generation});
    dm.push(&push(7));
    let pods = || vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(set(&inputs), (3, 7, pods()));
    let metrics = SchedulerMetrics { nr_queued: 5, ..SchedulerMetrics::default() };
    let counters = Counters { state: SchedulerState::Attached, metrics, ..Counters::default() };
    handle.send(counters.into());
    dm.shows("/metrics", "gthulhu_scheduler_attached{machine_id=\"node-1\"} 1");
    dm.shows("/metrics", "nr_queued{machine_id=\"node-1\"} 5");
    dm.shows("/readyz?verbose", "[+] scheduler: attached");

    dm.kill();
    down(&inputs);
    let dm = place.start();
    is_up(&inputs);
    assert_eq!(set(&inputs), (3, 7, pods()), "what it held when it was killed");
    dm.shows("/metrics", "gthulhu_scheduler_attached{machine_id=\"node-1\"} 1");
    dm.push(&push(8));
    assert_eq!(set(&inputs), (3, 8, pods()), "the same set under another number");
    dm.push(&json!({"intents": [], "epoch": 3, "generation": 9}));
    assert_eq!(set(&inputs), (3, 9, vec![]));

    dm.stop();
    assert_eq!(down(&inputs), "it said: the decision maker stops");
    let dm = place.start();
    is_up(&inputs);
    assert_eq!(set(&inputs), (3, 9, vec![]));
    drop(handle);
    dm.shows("/readyz?verbose", "[+] scheduler: deliberately absent; gone: it said: the scheduler stops");
}
