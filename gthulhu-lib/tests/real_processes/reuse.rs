//! The same number, another process: thousands of times, on purpose.

use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::strategy::Entry;
use gthulhu_lib::wire::IntentBody;

use crate::actors::{Idle, start_time};
use crate::pods::{Pods, skipped};
use crate::table::{A, B};
use crate::{engine, leaders};

/// Unless `GTHULHU_REUSES` says otherwise.
const REUSES: u32 = 1000;

/// Where the process goes that gets the number again.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// In no pod.
    Nowhere,
    /// A pod with another strategy.
    Other,
    /// A pod without one.
    Ungoverned,
    /// The same pod, so the same strategy is right.
    Same,
}

const NEXT: [Next; 4] = [Next::Nowhere, Next::Other, Next::Ungoverned, Next::Same];
const UNGOVERNED: &str = "8c1f9f0e-52a4-4a57-9d67-0f6b8c0f7a11";

fn two_strategies() -> IntentSet {
    let bodies = [(A, 3), (B, 7)].map(|(pod, priority)| IntentBody {
        pod_id: pod.to_owned(),
        priority,
        execution_time: 20_000_000,
        ..IntentBody::default()
    });
    IntentSet::check(bodies.into(), &Limits::default()).expect("good intents")
}

#[test]
fn a_strategy_never_reaches_a_later_process_with_the_same_number() {
    let test = "a_strategy_never_reaches_a_later_process_with_the_same_number";
    let Some(pods) = Pods::new(test) else { return };
    if std::fs::write("/proc/sys/kernel/ns_last_pid", "300").is_err() {
        return skipped(test, "the next pid cannot be chosen here");
    }
    let wanted = std::env::var("GTHULHU_REUSES").map_or(REUSES, |text| text.parse().expect("a number"));
    let [first_pod, other_pod, ungoverned_pod] = [A, B, UNGOVERNED].map(|pod| pods.container(pod));
    let mut engine = engine(&pods);
    engine.apply(two_strategies()).expect("/proc is readable");
    let priority = |entry: Option<Entry>| entry.map(|entry| entry.resolved().priority());
    let (mut reused, mut taken, mut same_tick, mut misattributed) = (0, 0, 0, Vec::new());
    while reused < wanted {
        let first = Idle::start();
        first_pod.add(first.pid());
        engine.refresh().expect("/proc is readable");
        let (pid, start) = (first.pid(), start_time(first.pid()));
        assert_eq!(leaders(&engine), [pid]);
        drop(first);
        let Some(second) = Idle::with_pid(pid) else {
            // Somebody else's process was faster.
            taken += 1;
            assert!(taken <= 1000 + 10 * wanted, "numbers can hardly be had twice here");
            continue;
        };
        let next = NEXT[reused as usize % NEXT.len()];
        reused += 1;
        match next {
            Next::Nowhere => {}
            Next::Other => other_pod.add(pid),
            Next::Ungoverned => ungoverned_pod.add(pid),
            Next::Same => first_pod.add(pid),
        }
        let now = start_time(pid);
        let before = engine.table().lookup_task(pid, now);
        if now == start {
            same_tick += 1;
        } else if before.is_some() {
            misattributed.push(format!("{next:?}, before the engine knew of the change: {before:?}"));
        }
        engine.refresh().expect("/proc is readable");
        let expected = match next {
            Next::Nowhere | Next::Ungoverned => None,
            Next::Other => Some(7),
            Next::Same => Some(3),
        };
        let table = engine.table();
        let after = (priority(table.lookup(pid)), priority(table.lookup_task(pid, now)));
        if after != (expected, expected) {
            misattributed.push(format!("{next:?}: {after:?} instead of {expected:?}"));
        }
        drop(second);
    }
    println!(
        "{reused} reuses of a pid ({taken} more went to somebody else): {} misattributed; {same_tick} began in the \
         same clock tick as the process before, where until the next look at processes only the number tells them \
         apart: not shown to be right before that look",
        misattributed.len()
    );
    assert!(misattributed.is_empty(), "{misattributed:#?}");
}
