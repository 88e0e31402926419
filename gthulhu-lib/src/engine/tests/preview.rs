//! A preview says what applying would do, and does nothing.

use super::*;
use crate::wire::preview::{
    CONFLICTS_MAX, Conflict, INTENTS_MAX, IntentPreview, MatchedProcess, MissedProcess, NEAR_MISSES_MAX,
    PROCESSES_MAX, ProcessClause, WHOLE,
};

fn strategy(number: u8) -> Id {
    Id::from_bytes([number; 12])
}

fn matched(pid: u32, command: &str, verdict: Verdict) -> MatchedProcess {
    MatchedProcess { pid, command: command.to_owned(), tasks: 2, verdict }
}

fn missed(pid: u32, command: &str, clause: ProcessClause) -> MissedProcess {
    MissedProcess { pid, command: command.to_owned(), clause }
}

#[test]
fn every_intent_is_held_against_every_process_of_its_pod() {
    let (mut engine, _) = engine(&[
        process(10, "a", "nginx"),
        process(20, "a", "worker"),
        process(30, "a", "pause"),
        process(40, "b", "nginx"),
    ]);
    let set = intents(&[("A", 1, 3, "nginx"), ("a", 2, 5, ""), ("gone", 3, 1, "")]);
    let reply = engine.preview(set.clone()).unwrap().report(None);
    let [strong, weak, gone] = &reply.intents[..] else { panic!("{reply:?}") };
    let base = |number, pod: &str, regex: &str, priority| IntentPreview {
        strategy_id: Some(strategy(number)),
        pod_id: pod.to_owned(),
        command_regex: regex.to_owned(),
        priority,
        pod_processes: 3,
        ..IntentPreview::default()
    };
    let conflict = |number, won, lost| vec![Conflict { strategy_id: Some(strategy(number)), won, lost }];
    let expected = IntentPreview {
        conflicts: conflict(2, 1, 0),
        matched: 1,
        wins: 1,
        tasks: 2,
        processes: vec![matched(10, "nginx", Verdict::Wins)],
        near_misses: vec![
            missed(20, "worker", ProcessClause::CommandRegex),
            missed(30, "pause", ProcessClause::Pause),
        ],
        ..base(1, "A", "nginx", 3)
    };
    assert_eq!(*strong, expected);
    let expected = IntentPreview {
        conflicts: conflict(1, 0, 1),
        matched: 2,
        wins: 1,
        tasks: 2,
        processes: vec![
            matched(10, "nginx", Verdict::LosesTo { strategy: Some(strategy(1)) }),
            matched(20, "worker", Verdict::Wins),
        ],
        near_misses: vec![missed(30, "pause", ProcessClause::Pause)],
        ..base(2, "a", "", 5)
    };
    assert_eq!(*weak, expected);
    assert_eq!(*gone, IntentPreview { pod_processes: 0, ..base(3, "gone", "", 1) });
    assert_eq!((reply.omitted, reply.refused, reply.unreadable), (0, 2, 1));
    let of_two = engine.preview(set).unwrap().report(Some(strategy(2)));
    assert_eq!((of_two.intents.as_slice(), of_two.omitted), (&reply.intents[1..2], 0));
}

#[test]
fn it_is_what_applying_then_does_and_changes_nothing_itself() {
    let (mut engine, script) = engine(&[process(10, "a", "nginx"), process(20, "b", "redis")]);
    engine.apply(intents(&[("a", 1, 3, "")])).unwrap();
    engine.mute("a", 11);
    let (table, generation) = (engine.table(), engine.table().generation());
    engine.diff();
    let next = intents(&[("b", 2, 7, "redis"), ("a", 1, 9, "")]);
    let preview = engine.preview(next.clone()).unwrap();
    let foreseen: Vec<_> = preview.rows().iter().map(|row| (row.tid, row.resolved)).collect();
    assert_eq!(preview.row_intent(&preview.rows()[1]).priority(), 7);

    assert_eq!(tids(&engine), [10]);
    assert_eq!((table.generation(), engine.diff().is_empty()), (generation, true));
    assert_eq!(engine.intents(), &intents(&[("a", 1, 3, "")]));
    // The source was told of other pods than the engine governs, and is told of the right ones again.
    assert!(script.lines().governed.contains("b"));
    script.lines().changes.push_back(Changes::List(Vec::new()));
    assert!(!engine.refresh().unwrap().processes_changed);
    assert!(!script.lines().governed.contains("b"));
    assert_eq!(tids(&engine), [10], "still muted");

    engine.apply(next).unwrap();
    let done: Vec<_> = engine.rows().iter().map(|row| (row.tid, row.resolved)).collect();
    assert_eq!(foreseen, done);
}

#[test]
fn a_preview_that_cannot_see_fails_and_changes_nothing() {
    let (mut engine, script) = engine(&[process(10, "a", "nginx")]);
    engine.apply(intents(&[("a", 1, 3, "")])).unwrap();
    script.lines().broken = true;
    assert!(engine.preview(intents(&[])).is_err());
    script.lines().broken = false;
    engine.refresh().unwrap();
    assert_eq!(tids(&engine), [10, 11]);
}

#[test]
fn lists_are_bounded_and_counts_are_not() {
    let many = |pod: &str, from: usize, count: usize, name: &str| -> Vec<Process> {
        (from..from + count).map(|n| process(10 + 2 * u32::try_from(n).unwrap(), pod, name)).collect()
    };
    let mut processes = many("a", 0, PROCESSES_MAX + 1, "web");
    processes.extend(many("a", 1000, NEAR_MISSES_MAX + 1, "db"));
    let (mut engine, _) = engine(&processes);
    let one = engine.preview(intents(&[("a", 1, 3, "web")])).unwrap().report(None).intents.remove(0);
    assert_eq!((one.processes.len(), one.near_misses.len()), (PROCESSES_MAX, NEAR_MISSES_MAX));
    let (seen, expected) = ((one.pod_processes, one.matched), (processes.len(), PROCESSES_MAX + 1));
    assert_eq!(seen, (expected.0 as u64, expected.1 as u64));
    assert_eq!((one.wins, one.tasks, one.truncated), (one.matched, 2 * one.matched, true));

    let crowd: Vec<_> = (0..=u8::MAX).map(|number| ("a", number, 3, "web")).collect();
    let reply = engine.preview(intents(&crowd)).unwrap().report(None);
    let listed: usize = reply.intents.iter().map(|intent| intent.processes.len()).sum();
    let missed: usize = reply.intents.iter().map(|intent| intent.near_misses.len()).sum();
    assert_eq!((listed, missed), (WHOLE * PROCESSES_MAX, WHOLE * NEAR_MISSES_MAX));
    let rivals: Vec<usize> = reply.intents.iter().map(|intent| intent.conflicts.len()).collect();
    assert_eq!(rivals.iter().max(), Some(&CONFLICTS_MAX), "the strongest beats 255 others, who lose to it");
    assert!(reply.intents.iter().all(|intent| intent.truncated && intent.matched == one.matched));

    let pods: Vec<String> = (0..INTENTS_MAX + 3).map(|number| format!("pod-{number}")).collect();
    let crowd: Vec<_> = pods.iter().map(|pod| (pod.as_str(), 1, 3, "")).collect();
    let reply = engine.preview(intents(&crowd)).unwrap().report(None);
    assert_eq!((reply.intents.len(), reply.omitted), (INTENTS_MAX, 3));
}

#[test]
fn an_explanation_lists_so_many_intents_and_the_winner_among_them() {
    let (mut engine, _) = engine(&[process(10, "a", "nginx")]);
    let most = crate::explain::INTENTS_MAX;
    let bodies = (0..most + 5).map(|number| IntentBody {
        pod_id: "a".to_owned(),
        pod_name: format!("{number:05}"),
        command_regex: if number == most + 2 { "nginx" } else { "other" }.to_owned(),
        ..IntentBody::default()
    });
    engine.apply(IntentSet::check(bodies.collect(), &Limits::default()).unwrap()).unwrap();
    let told = engine.explain(10).unwrap();
    assert_eq!((told.intents.len(), told.omitted, told.outcome), (most + 1, 4, Outcome::Governed));
    assert_eq!(told.intents[most].verdict, Verdict::Wins);
}
