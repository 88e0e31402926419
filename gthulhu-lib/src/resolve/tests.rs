//! Who wins, by table.

use super::*;
use crate::intent::Limits;
use crate::wire::IntentBody;

fn strategy(n: u8) -> Id {
    Id::from_bytes([n; 12])
}

fn body(strategy_id: Option<Id>, priority: i64, regex: &str) -> IntentBody {
    IntentBody {
        pod_id: "a".to_owned(),
        strategy_id: strategy_id.map(|id| id.to_string()),
        priority,
        command_regex: regex.to_owned(),
        ..IntentBody::default()
    }
}

fn set(bodies: Vec<IntentBody>) -> IntentSet {
    IntentSet::check(bodies, &Limits { accept_any_priority: true }).unwrap()
}

fn process(pid: u32, pod: &str, comm: &str, tids: &[u32]) -> Process {
    Process {
        id: ProcessId { pid, start: u64::from(pid) + 1000 },
        parent: 1,
        comm: Comm::new(comm.as_bytes()),
        pod_uid: pod.into(),
        container_id: None,
        threads: tids.iter().map(|&tid| Thread { tid, start: u64::from(tid) + 1000 }).collect(),
    }
}

fn resolve(intents: &IntentSet, processes: Vec<Process>, muted: &Muted) -> Vec<TaskRow> {
    let mut index = PodIndex::default();
    index.replace(processes);
    Rules::new(intents).resolve(&index, muted)
}

/// The strategy that wins for the one process `nginx`.
fn winner(bodies: Vec<IntentBody>) -> Option<Id> {
    let intents = set(bodies);
    let rows = resolve(&intents, vec![process(10, "a", "nginx", &[])], &Muted::new());
    assert_eq!(rows.len(), 1, "one row per task");
    intents.as_slice()[rows[0].intent].strategy()
}

#[test]
fn the_stronger_intent_wins_whatever_the_order() {
    // Priorities of strategies 1 and 2, and the winner.
    for (one, two, wins) in [
        (0, 1, 2),
        (0, 20, 2),
        (1, 1, 1),
        (20, 1, 2),
        (1, 20, 1),
        (20, 0, 1),
        (0, 0, 1),
        (9, 10, 1),
        (10, 9, 2),
        (20, 20, 1),
        // Beyond the scale, where a node accepts that.
        (21, 20, 1),
        (99, 0, 1),
        (-5, 20, 2),
        (-5, 0, 1),
    ] {
        let first = body(Some(strategy(1)), one, "");
        let second = body(Some(strategy(2)), two, "");
        let expected = Some(strategy(wins));
        assert_eq!(winner(vec![first.clone(), second.clone()]), expected, "priorities {one}, {two}");
        assert_eq!(winner(vec![second, first]), expected, "priorities {one}, {two}, inserted in reverse");
    }
}

#[test]
fn an_intent_without_a_strategy_loses_only_between_equals() {
    for (with, without, wins) in [(5, 5, true), (5, 4, false), (0, 20, false)] {
        let bodies = vec![body(Some(strategy(9)), with, ""), body(None, without, "")];
        let reversed = bodies.iter().rev().cloned().collect();
        let expected = wins.then_some(strategy(9));
        assert_eq!((winner(bodies), winner(reversed)), (expected, expected), "priorities {with}, {without}");
    }
}

#[test]
fn only_intents_whose_regex_matches_take_part() {
    let strong = body(Some(strategy(1)), 1, "^redis");
    let weak = body(Some(strategy(2)), 20, "nginx|worker");
    assert_eq!(winner(vec![strong.clone(), weak]), Some(strategy(2)));
    assert!(resolve(&set(vec![strong]), vec![process(10, "a", "nginx", &[])], &Muted::new()).is_empty());
}

#[test]
fn every_thread_of_a_matched_process_gets_a_row_after_all_leaders() {
    let intents = set(vec![body(Some(strategy(1)), 3, "nginx")]);
    let processes = vec![
        process(30, "a", "nginx", &[31, 12]),
        process(10, "a", "nginx", &[11]),
        process(20, "a", "redis", &[21]),
        process(40, "a", "pause", &[41]),
        process(50, "b", "nginx", &[51]),
    ];
    let rows = resolve(&intents, processes, &Muted::new());
    let tasks: Vec<(u32, u32, u64, bool)> =
        rows.iter().map(|row| (row.tid, row.tgid, row.start, row.is_leader())).collect();
    assert_eq!(
        tasks,
        [
            (10, 10, 1010, true),
            (30, 30, 1030, true),
            (11, 10, 1011, false),
            (12, 30, 1012, false),
            (31, 30, 1031, false)
        ]
    );
    assert!(rows.iter().all(|row| row.resolved == Resolved::clamped(3, 0)));
}

#[test]
fn the_sandbox_process_is_never_governed() {
    let intents = set(vec![body(Some(strategy(1)), 1, ""), body(Some(strategy(2)), 1, "pause")]);
    let governed = |comm| resolve(&intents, vec![process(10, "a", comm, &[])], &Muted::new()).len();
    assert_eq!((governed("pause"), governed("pause2"), governed("Pause"), governed("")), (0, 1, 1, 1));
}

#[test]
fn a_muted_process_has_no_rows_and_a_muted_thread_not_its_own() {
    let intents = set(vec![body(None, 1, "")]);
    let all = vec![process(10, "a", "x", &[11, 12]), process(20, "a", "x", &[21])];
    let (ten, twenty) = (all[0].id, all[1].id);
    let eleven = all[0].threads[0];
    let tids = |muted: &[(ProcessId, Option<Thread>)]| -> Vec<u32> {
        let rows = resolve(&intents, all.clone(), &muted.iter().copied().collect());
        rows.iter().map(|row| row.tid).collect()
    };
    assert_eq!(tids(&[]), [10, 20, 11, 12, 21]);
    assert_eq!(tids(&[(ten, None)]), [20, 21]);
    assert_eq!(tids(&[(ten, Some(eleven)), (twenty, None)]), [10, 12]);
    assert_eq!(tids(&[(ProcessId { start: 1, ..ten }, None)]), [10, 20, 11, 12, 21], "an earlier process 10");
}

#[test]
fn an_intents_pod_is_found_however_its_uid_is_written() {
    let upper = IntentBody { pod_id: "ABC-DEF".to_owned(), ..body(None, 1, "") };
    let intents = set(vec![upper]);
    assert_eq!(resolve(&intents, vec![process(10, "abc-def", "x", &[])], &Muted::new()).len(), 1);
    assert!(Rules::new(&intents).governed().contains("abc-def"));
}
