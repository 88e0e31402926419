//! Nodes that are dead, that hang, or that talk nonsense, and what that costs the others: nothing.

use std::time::Duration;

use super::bench::{Bench, failure, holds};
use crate::nodes::machine::{FailureKind, Options, Outcome};

/// Two calls at a time, so that two nodes are a crowd.
fn narrow() -> Options {
    Options { concurrency: 2, ..Options::default() }
}

#[test]
fn a_call_without_answer_fails_at_its_deadline_and_its_late_answer_is_ignored() {
    let mut bench = Bench::settled(&[("a", "")]);
    bench.desired(&[("a", "p")]);
    assert_eq!(bench.pass_ms(10), ["a: push (1, 1) [p]"]);
    let push = bench.call("a");
    assert_eq!(bench.pass_ms(4999), [""; 0]);
    assert_eq!(bench.pass_ms(1), ["a: cancel", "a: unreachable", "a: failed: no answer within 5s"]);
    assert_eq!(bench.answer_call("a", push, Outcome::Accepted), [""; 0]);
    assert_eq!(bench.pass_ms(100), ["a: compare"]);
    assert_eq!(bench.answer_call("a", push, Outcome::Accepted), [""; 0]);
    assert_eq!(bench.answer("a", holds("p", Some((1, 1)))), ["a: reachable", "a: holds (1, 1) [p]"]);
}

#[test]
fn a_dead_node_is_tried_at_growing_intervals_of_at_most_a_second() {
    let mut bench = Bench::settled(&[("a", "")]);
    bench.up("a");
    for whole_ms in [100, 200, 400, 800, 1000, 1000, 1000] {
        bench.answer("a", failure(FailureKind::Unreachable));
        // Changes do not make it be tried earlier.
        bench.desired(&[("a", &format!("p{whole_ms}"))]);
        assert_eq!(bench.pass_ms(whole_ms / 2 - 1), [""; 0], "too early, of {whole_ms} ms");
        assert_eq!(bench.pass_ms(whole_ms / 2 + 1), ["a: compare"], "too late, of {whole_ms} ms");
    }
    bench.answer("a", holds("", None));
    bench.answer("a", Outcome::Accepted);
    bench.up("a");
    bench.answer("a", failure(FailureKind::Unreachable));
    assert_eq!(bench.pass_ms(100), ["a: compare"], "the delay starts anew after a success");
}

#[test]
fn a_node_that_is_said_to_be_up_is_tried_without_waiting() {
    let mut bench = Bench::settled(&[("a", "p")]);
    bench.up("a");
    for _ in 0..6 {
        bench.answer("a", failure(FailureKind::Unreachable));
        bench.pass_ms(1000);
    }
    bench.answer("a", failure(FailureKind::Unreachable));
    assert_eq!(bench.up("a"), ["a: compare"]);
}

#[test]
fn reachability_is_told_once_per_change() {
    let mut bench = Bench::settled(&[("a", "p")]);
    bench.up("a");
    assert_eq!(
        bench.answer("a", failure(FailureKind::Unreachable)),
        ["a: unreachable", "a: failed: Unreachable"]
    );
    bench.pass_ms(100);
    assert_eq!(bench.answer("a", failure(FailureKind::TimedOut)), ["a: failed: TimedOut"]);
    bench.pass_ms(200);
    assert_eq!(bench.answer("a", failure(FailureKind::BadAnswer)), ["a: reachable", "a: failed: BadAnswer"]);
    bench.pass_ms(400);
    assert_eq!(bench.answer("a", holds("p", None)), ["a: holds unnumbered [p]"]);
}

#[test]
fn no_more_calls_run_than_allowed() {
    let mut bench = Bench::settled_with(narrow(), &[("a", ""), ("b", ""), ("c", ""), ("d", "")]);
    bench.desired(&[("a", "p"), ("b", "p"), ("c", "p"), ("d", "p")]);
    assert_eq!(bench.pass_ms(10), ["a: push (1, 1) [p]", "b: push (1, 1) [p]"]);
    assert_eq!(bench.answer("b", Outcome::Accepted), ["b: holds (1, 1) [p]", "c: push (1, 1) [p]"]);
    // What c's successor is sent is what it should hold when its turn comes.
    bench.desired(&[("a", "p"), ("b", "p"), ("c", "p"), ("d", "newer")]);
    assert_eq!(bench.answer("c", Outcome::Accepted), ["c: holds (1, 1) [p]", "d: push (1, 1) [newer]"]);
}

#[test]
fn nodes_that_hang_hold_the_others_up_for_moments_the_first_time_and_never_again() {
    let mut bench = Bench::settled_with(narrow(), &[("a", ""), ("b", ""), ("c", "")]);
    bench.desired(&[("a", "p"), ("b", "p"), ("c", "p")]);
    assert_eq!(bench.pass_ms(10), ["a: push (1, 1) [p]", "b: push (1, 1) [p]"]);
    assert_eq!(bench.pass_ms(99), [""; 0]);
    assert_eq!(bench.pass_ms(1), ["c: push (1, 1) [p]"]);
    bench.answer("c", Outcome::Accepted);
    for round in 0..50 {
        // a and b hang for good by now, and c is served within its debounce whatever they do.
        bench.desired(&[("a", "p"), ("b", "p"), ("c", &format!("r{round}"))]);
        let lines = bench.pass(Duration::from_millis(10));
        let push = format!("c: push (1, {}) [r{round}]", round + 2);
        assert!(lines.contains(&push), "round {round}: {lines:?}");
        bench.answer("c", Outcome::Accepted);
        bench.pass_ms(400);
    }
}

#[test]
fn nodes_that_hang_wait_for_each_other_and_not_for_ever() {
    let options = Options { probes: 1, ..narrow() };
    let mut bench = Bench::settled_with(options, &[("a", ""), ("b", "")]);
    for node in ["a", "b"] {
        bench.up(node);
        bench.answer(node, failure(FailureKind::TimedOut));
    }
    let first = bench.pass_ms(100);
    assert_eq!(first.len(), 1, "one probe at a time: {first:?}");
    let (first, second) = if first == ["a: compare"] { ("a", "b") } else { ("b", "a") };
    let lines = bench.answer(first, failure(FailureKind::TimedOut));
    assert_eq!(lines.last().unwrap(), &format!("{second}: compare"));
}

#[test]
fn a_node_that_answers_with_errors_is_asked_ever_more_rarely() {
    let mut bench = Bench::settled(&[("a", "")]);
    bench.desired(&[("a", "p")]);
    bench.pass_ms(10);
    let mut pushes = 0;
    for _ in 0..600 {
        // Ten minutes, of which only the refused pushes count.
        bench.answer("a", failure(FailureKind::BadAnswer));
        if bench.pass_ms(1000).is_empty() {
            continue;
        }
        pushes += 1;
        assert_eq!(bench.answer("a", holds("", None)), ["a: push (1, 1) [p]"]);
    }
    assert!((20..=50).contains(&pushes), "{pushes} pushes in ten minutes");
}

#[test]
fn an_answer_that_does_not_fit_the_question_is_a_failure() {
    let mut bench = Bench::settled(&[("a", "p")]);
    bench.up("a");
    let lines = bench.answer("a", Outcome::Accepted);
    assert_eq!(lines, ["a: failed: the answer does not fit the question"]);
    bench.pass_ms(100);
    bench.answer("a", holds("", None));
    assert_eq!(bench.answer("a", holds("p", None)), lines);
}

#[test]
fn after_a_pause_of_the_manager_answers_that_came_meanwhile_count() {
    let mut bench = Bench::settled(&[("a", ""), ("b", "")]);
    bench.desired(&[("a", "p"), ("b", "q")]);
    bench.pass_ms(10);
    // Stopped for a minute: nothing rings, answers pile up.
    bench.now += Duration::from_secs(60);
    assert_eq!(bench.answer("a", Outcome::Accepted), ["a: holds (1, 1) [p]"]);
    assert_eq!(bench.answer("b", Outcome::Accepted), ["b: holds (1, 1) [q]"]);
    assert_eq!(bench.pass_ms(20_000), [""; 0], "no burst of stale pushes");
}

#[test]
fn a_node_that_is_gone_is_left_alone() {
    let mut bench = Bench::settled(&[("a", ""), ("b", "")]);
    bench.desired(&[("a", "p"), ("b", "")]);
    bench.pass_ms(10);
    let push = bench.call("a");
    assert_eq!(bench.gone("a"), ["a: cancel"]);
    assert_eq!(bench.gone("a"), [""; 0]);
    assert_eq!(bench.answer_call("a", push, Outcome::Accepted), [""; 0]);
    bench.desired(&[("a", "other"), ("b", "")]);
    assert_eq!(bench.pass_ms(20_000), [""; 0]);
}
