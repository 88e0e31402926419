//! Pairs: which number a set goes out under, and where epochs come from.

use super::bench::{Bench, failure, holds, pair};
use crate::nodes::machine::{FailureKind, Options, Outcome};

fn conflict(held: (u64, u64)) -> Outcome {
    Outcome::Conflict(Some(pair(held)))
}

#[test]
fn nothing_is_pushed_before_there_is_an_epoch_but_nodes_are_compared() {
    let mut bench = Bench::new(Options::default());
    assert_eq!(bench.desired(&[("a", "p"), ("b", "q")]), ["need epoch above 0"]);
    assert_eq!(bench.up("a"), ["a: compare"]);
    assert_eq!(bench.up("b"), ["b: compare"]);
    assert_eq!(bench.answer("a", holds("", None)), ["a: reachable"]);
    assert_eq!(bench.answer("b", holds("q", Some((4, 4)))), ["b: reachable", "b: holds (4, 4) [q]"]);
    assert_eq!(bench.pass_ms(2000), ["need epoch above 0", "need epoch above 0"]);
    assert_eq!(bench.epoch(5), ["a: push (5, 1) [p]"]);
    assert_eq!(bench.pass_ms(2000), [""; 0], "asked only while unanswered");
}

#[test]
fn generations_count_each_nodes_sets() {
    let mut bench = Bench::settled(&[("a", ""), ("b", "")]);
    for generation in 1..4 {
        let pods = format!("p{generation}");
        bench.desired(&[("a", &pods)]);
        assert_eq!(bench.pass_ms(10), [format!("a: push (1, {generation}) [{pods}]")]);
        bench.answer("a", Outcome::Accepted);
    }
    bench.desired(&[("a", "p3"), ("b", "q")]);
    assert_eq!(bench.pass_ms(10), ["b: push (1, 1) [q]"]);
}

#[test]
fn a_failed_push_is_repeated_under_its_pair_and_a_new_set_takes_the_next() {
    let mut bench = Bench::settled(&[("a", "")]);
    bench.desired(&[("a", "p")]);
    assert_eq!(bench.pass_ms(10), ["a: push (1, 1) [p]"]);
    bench.answer("a", failure(FailureKind::TimedOut));
    assert_eq!(bench.pass_ms(100), ["a: compare"]);
    assert_eq!(bench.answer("a", holds("", None)), ["a: reachable", "a: push (1, 1) [p]"]);
    bench.answer("a", failure(FailureKind::TimedOut));
    bench.desired(&[("a", "p q")]);
    bench.pass_ms(200);
    assert_eq!(bench.answer("a", holds("", None)), ["a: reachable", "a: push (1, 2) [p q]"]);
}

#[test]
fn while_a_greater_pair_may_be_on_its_way_holding_the_right_set_is_not_enough() {
    let mut bench = Bench::settled(&[("a", "p")]);
    bench.desired(&[("a", "q")]);
    assert_eq!(bench.pass_ms(10), ["a: push (1, 1) [q]"]);
    bench.answer("a", failure(FailureKind::TimedOut));
    bench.desired(&[("a", "p")]);
    bench.pass_ms(100);
    // The push of q may still arrive: p goes out above it.
    assert_eq!(bench.answer("a", holds("p", None)), ["a: reachable", "a: push (1, 2) [p]"]);
    assert_eq!(bench.answer("a", Outcome::Accepted), ["a: holds (1, 2) [p]"]);
}

#[test]
fn a_push_that_arrived_although_its_answer_did_not_is_not_repeated() {
    let mut bench = Bench::settled(&[("a", "")]);
    bench.desired(&[("a", "p")]);
    bench.pass_ms(10);
    bench.answer("a", failure(FailureKind::Unreachable));
    assert_eq!(bench.pass_ms(100), ["a: compare"]);
    assert_eq!(bench.answer("a", holds("p", Some((1, 1)))), ["a: reachable", "a: holds (1, 1) [p]"]);
}

#[test]
fn a_node_that_comes_back_goes_on_above_its_old_numbers() {
    let mut bench = Bench::settled(&[("a", "")]);
    for pods in ["p", "q"] {
        bench.desired(&[("a", pods)]);
        bench.pass_ms(10);
        bench.answer("a", Outcome::Accepted);
    }
    assert_eq!(bench.gone("a"), [""; 0]);
    bench.up("a");
    assert_eq!(bench.answer("a", holds("p", Some((1, 1)))), ["a: reachable", "a: push (1, 3) [q]"]);
}

#[test]
fn a_conflict_stops_all_pushes_until_a_new_epoch_and_then_everything_is_pushed() {
    let mut bench = Bench::settled(&[("a", "p"), ("b", "q")]);
    bench.desired(&[("a", "p2"), ("b", "q")]);
    bench.pass_ms(10);
    assert_eq!(
        bench.answer("a", conflict((7, 3))),
        ["a: failed: refused (1, 1): it holds (7, 3)", "need epoch above 7"],
    );
    bench.desired(&[("a", "p2"), ("b", "q2")]);
    assert_eq!(bench.pass_ms(1010), ["need epoch above 7"]);
    assert_eq!(bench.epoch(7), [""; 0], "not above what is held");
    assert_eq!(bench.epoch(8), ["a: push (8, 1) [p2]", "b: push (8, 1) [q2]"]);
    assert_eq!(bench.answer("a", Outcome::Accepted), ["a: holds (8, 1) [p2]"]);
}

#[test]
fn a_new_epoch_is_pushed_even_to_nodes_that_hold_the_right_set() {
    let mut bench = Bench::settled(&[("a", "p"), ("b", "q")]);
    assert_eq!(bench.epoch(2), ["a: push (2, 1) [p]", "b: push (2, 1) [q]"]);
}

#[test]
fn a_node_that_was_away_is_pushed_the_new_epoch_too() {
    let mut bench = Bench::settled(&[("a", "p")]);
    bench.up("a");
    bench.answer("a", failure(FailureKind::Unreachable));
    bench.epoch(2);
    assert_eq!(bench.pass_ms(100), ["a: compare"]);
    // It holds the right set, under a number that others may still use.
    assert_eq!(bench.answer("a", holds("p", Some((1, 1)))), ["a: reachable", "a: push (2, 1) [p]"]);
}

#[test]
fn the_epoch_asked_for_is_above_all_that_are_held() {
    let mut bench = Bench::settled(&[("a", ""), ("b", ""), ("c", "")]);
    bench.desired(&[("a", "p"), ("b", "p"), ("c", "p")]);
    bench.pass_ms(10);
    assert_eq!(bench.answer("a", conflict((4, 1))).last().unwrap(), "need epoch above 4");
    assert_eq!(bench.answer("b", conflict((9, 1))).last().unwrap(), "need epoch above 9");
    assert_eq!(bench.answer("c", conflict((6, 1))), ["c: failed: refused (1, 1): it holds (6, 1)"]);
    assert_eq!(bench.epoch(5), [""; 0]);
    assert_eq!(bench.epoch(10).len(), 3);
}

#[test]
fn an_answer_to_a_push_of_the_old_epoch_settles_nothing() {
    for old in [Outcome::Accepted, conflict((3, 3))] {
        let mut bench = Bench::settled(&[("a", "p")]);
        bench.desired(&[("a", "q")]);
        bench.pass_ms(10);
        assert_eq!(bench.epoch(5), [""; 0]);
        assert_eq!(bench.answer("a", old).last().unwrap(), "a: push (5, 1) [q]");
    }
}

#[test]
fn one_node_cannot_make_epochs_over_and_over() {
    let mut bench = Bench::settled(&[("a", "")]);
    bench.desired(&[("a", "p")]);
    bench.pass_ms(10);
    bench.answer("a", conflict((7, 1)));
    bench.epoch(8);
    assert_eq!(bench.answer("a", conflict((9, 1))), ["a: failed: refused (8, 1): it holds (9, 1), again"],);
    assert_eq!(bench.pass_ms(29_900), [""; 0]);
    assert_eq!(bench.pass_ms(200), ["a: compare"]);
    assert_eq!(bench.answer("a", holds("", Some((9, 1)))), ["a: push (8, 1) [p]"]);
    assert_eq!(bench.answer("a", conflict((9, 1))).last().unwrap(), "need epoch above 9");
}

#[test]
fn neither_going_away_nor_a_push_in_between_lets_a_node_make_epochs_sooner() {
    let mut bench = Bench::settled(&[("a", ""), ("b", "")]);
    bench.desired(&[("a", "p"), ("b", "p")]);
    bench.pass_ms(10);
    bench.answer("b", Outcome::Accepted);
    assert_eq!(bench.answer("a", conflict((7, 1))).last().unwrap(), "need epoch above 7");
    bench.epoch(8);
    bench.answer("a", Outcome::Accepted);
    bench.gone("a");
    bench.up("a");
    assert_eq!(bench.answer("a", holds("", Some((9, 1)))).last().unwrap(), "a: push (8, 2) [p]");
    let again = "a: failed: refused (8, 2): it holds (9, 1), again";
    assert_eq!(bench.answer("a", conflict((9, 1))), [again]);
    // Another node has a brake of its own.
    bench.answer("b", Outcome::Accepted);
    bench.desired(&[("a", "p"), ("b", "q")]);
    bench.pass_ms(10);
    assert_eq!(bench.answer("b", conflict((11, 1))).last().unwrap(), "need epoch above 11");
}

#[test]
fn a_conflict_that_makes_no_sense_concerns_its_node_only() {
    let nonsense = [None, Some((0, 0)), Some((1 << 53, 1)), Some((u64::MAX, u64::MAX))];
    for held in nonsense {
        let mut bench = Bench::settled(&[("a", "")]);
        bench.desired(&[("a", "p")]);
        bench.pass_ms(10);
        let lines = bench.answer("a", Outcome::Conflict(held.map(pair)));
        assert_eq!(lines.len(), 1, "{held:?}: {lines:?}");
        assert!(lines[0].starts_with("a: failed: refused (1, 1)"), "{lines:?}");
        assert_eq!(bench.pass_ms(100), ["a: compare"]);
    }
}
