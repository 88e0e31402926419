//! The same number, another process: thousands of times, on purpose.

use gthulhu_lib::engine::Engine;
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::strategy::Entry;
use gthulhu_lib::wire::IntentBody;

use crate::actors::{Actor, Idle, start_time};
use crate::leaders;
use crate::pods::{Container, Pods, skipped, until};
use crate::sources::{TOLD, engines};
use crate::table::{A, B};

/// For each source, unless `GTHULHU_REUSES` says otherwise.
const REUSES: u32 = 200;

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
        command_regex: "^sleep$".to_owned(),
        priority,
        execution_time: 20_000_000,
        ..IntentBody::default()
    });
    IntentSet::check(bodies.into(), &Limits::default()).expect("good intents")
}

/// What came of the reuses under one source.
#[derive(Debug, Default)]
struct Outcome {
    reused: u32,
    /// Numbers that went to somebody else.
    taken: u32,
    /// The process that got the number began in the same clock tick as the one that had it.
    same_tick: u32,
    /// Of those, how many had the strategy of the one before until the source was asked again.
    until_asked: u32,
    misattributed: Vec<String>,
}

#[test]
fn a_strategy_never_reaches_a_later_process_with_the_same_number() {
    let test = "a_strategy_never_reaches_a_later_process_with_the_same_number";
    let Some(pods) = Pods::new(test) else { return };
    if std::fs::write("/proc/sys/kernel/ns_last_pid", "300").is_err() {
        return skipped(test, "the next pid cannot be chosen here");
    }
    let wanted = std::env::var("GTHULHU_REUSES").map_or(REUSES, |text| text.parse().expect("a number"));
    let containers = [A, B, UNGOVERNED].map(|pod| pods.container(pod));
    // It lets the first of two processes begin in the pod. Moving it there would take more than a tick.
    let mut first = Actor::threaded("starter", &containers[0]);
    for mut engine in engines(&pods, test) {
        engine.apply(two_strategies()).expect("it can be looked");
        let mut outcome = Outcome::default();
        while outcome.reused < wanted {
            reuse(&mut engine, &mut first, &containers, &mut outcome);
            let Outcome { reused, taken, .. } = outcome;
            assert!(taken <= 1000 + 10 * reused, "numbers can hardly be had twice here");
        }
        let Outcome { reused, taken, same_tick, until_asked, misattributed } = outcome;
        println!(
            "{}: {reused} reuses of a pid ({taken} more went to somebody else), {same_tick} of them in the clock tick in \
             which the process before had begun: {} misattributed, {until_asked} of those in the same tick until the \
             next look",
            engine.source_name(),
            misattributed.len(),
        );
        assert!(misattributed.is_empty(), "{}: {misattributed:#?}", engine.source_name());
    }
}

/// Gives one number to two processes, and holds what the engine says against what is so.
fn reuse(
    engine: &mut Engine,
    first: &mut Actor,
    [first_pod, other_pod, ungoverned_pod]: &[Container; 3],
    outcome: &mut Outcome,
) {
    // Every other time there is a whole tick for both to begin in; else they begin in different ones.
    let in_one_tick = outcome.reused.is_multiple_of(2);
    if in_one_tick {
        next_tick();
    }
    let pid = first.start_idle();
    // Whoever starts a program may go on just before that has its name.
    until("the first one is governed", || {
        engine.refresh().expect("it can be looked");
        leaders(engine) == [pid]
    });
    let start = start_time(pid);
    first.end_idle();
    if !in_one_tick {
        next_tick();
    }
    let Some(second) = Idle::with_pid(pid) else {
        // Somebody else's process was faster.
        outcome.taken += 1;
        return;
    };
    let next = NEXT[outcome.reused as usize / 2 % NEXT.len()];
    outcome.reused += 1;
    let now = start_time(pid);
    let table = engine.table();
    outcome.same_tick += u32::from(now == start);
    if engine.source_name() == TOLD {
        // What was told includes the end of the first, and the second is in no pod yet.
        engine.follow().expect("it can be looked");
        if let Some(entry) = table.lookup(pid) {
            outcome.misattributed.push(format!("{next:?}, after the end was told: {entry:?}"));
        }
    } else if let Some(entry) = table.lookup_task(pid, now) {
        if now == start {
            outcome.until_asked += 1;
        } else {
            outcome.misattributed.push(format!("{next:?}, before the engine knew of the change: {entry:?}"));
        }
    }
    match next {
        Next::Nowhere => {}
        Next::Other => other_pod.add(pid),
        Next::Ungoverned => ungoverned_pod.add(pid),
        Next::Same => first_pod.add(pid),
    }
    engine.refresh().expect("it can be looked");
    let expected = match next {
        Next::Nowhere | Next::Ungoverned => None,
        Next::Other => Some(7),
        Next::Same => Some(3),
    };
    let priority = |entry: Option<Entry>| entry.map(|entry| entry.resolved().priority());
    let after = (priority(table.lookup(pid)), priority(table.lookup_task(pid, now)));
    if after != (expected, expected) {
        outcome.misattributed.push(format!("{next:?}: {after:?} instead of {expected:?}"));
    }
    drop(second);
    // Or the next one would be seen beside it.
    engine.refresh().expect("it can be looked");
}

/// Waits for the clock tick to change: the time since the start is told in ticks.
fn next_tick() {
    let ticks = || std::fs::read("/proc/uptime").expect("/proc is mounted");
    let ticks = || ticks().split(|&byte| byte == b' ').next().map(<[u8]>::to_vec);
    let begun = ticks();
    while ticks() == begun {
        std::hint::spin_loop();
    }
}
