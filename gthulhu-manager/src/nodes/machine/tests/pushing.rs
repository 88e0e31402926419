//! When a node is compared, when it is pushed to, and what it is sent.

use super::bench::{Bench, go_holds, holds, set};
use crate::nodes::machine::{DmState, Options, Outcome};

const HALF_A_MINUTE_MS: u64 = 30_000;

#[test]
fn a_node_that_appears_is_compared_at_once_and_not_pushed_to_when_equal() {
    let mut bench = Bench::new(Options::default());
    bench.epoch(3);
    assert_eq!(bench.desired(&[("a", "p q")]), [""; 0]);
    assert_eq!(bench.up("a"), ["a: compare"]);
    assert_eq!(bench.answer("a", holds("q p", Some((2, 9)))), ["a: reachable", "a: holds (2, 9) [p q]"]);
    assert_eq!(bench.pass_ms(20_000), [""; 0]);
}

#[test]
fn a_node_that_differs_gets_its_full_set() {
    let mut bench = Bench::new(Options::default());
    bench.epoch(3);
    bench.desired(&[("a", "p q r"), ("b", "s")]);
    bench.up("a");
    assert_eq!(bench.answer("a", holds("p", Some((2, 9)))), ["a: reachable", "a: push (3, 1) [p q r]"]);
    assert_eq!(bench.answer("a", Outcome::Accepted), ["a: holds (3, 1) [p q r]"]);
}

#[test]
fn silence_about_the_desired_state_never_empties_a_node() {
    let mut bench = Bench::new(Options::default());
    bench.epoch(1);
    assert_eq!(bench.up("a"), [""; 0]);
    assert_eq!(bench.pass_ms(HALF_A_MINUTE_MS), [""; 0]);
    assert_eq!(bench.desired(&[("a", "p")]), ["a: compare"]);
}

#[test]
fn a_node_left_out_of_the_desired_state_gets_the_empty_set() {
    let mut bench = Bench::settled(&[("a", "p"), ("b", "q")]);
    bench.desired(&[("b", "q")]);
    assert_eq!(bench.pass_ms(10), ["a: push (1, 1) []"]);
    bench.up("c");
    assert_eq!(bench.answer("c", holds("left over", Some((1, 4)))), ["c: reachable", "c: push (1, 1) []"]);
}

#[test]
fn a_burst_of_changes_is_one_push_of_the_latest_counted_from_the_first() {
    let mut bench = Bench::settled(&[("a", "p")]);
    for pods in ["q", "q r", "s"] {
        assert_eq!(bench.desired(&[("a", pods)]), [""; 0]);
        assert_eq!(bench.pass_ms(3), [""; 0]);
    }
    assert_eq!(bench.pass_ms(1), ["a: push (1, 1) [s]"]);
}

#[test]
fn a_change_that_is_taken_back_in_time_pushes_nothing() {
    let mut bench = Bench::settled(&[("a", "p")]);
    bench.desired(&[("a", "q")]);
    bench.desired(&[("a", "p")]);
    assert_eq!(bench.pass_ms(20), [""; 0]);
}

#[test]
fn the_same_desired_state_again_is_no_change() {
    let mut bench = Bench::settled(&[("a", "p"), ("b", "q")]);
    bench.desired(&[("a", "p"), ("b", "q"), ("not there", "r")]);
    assert_eq!(bench.pass_ms(20), [""; 0]);
}

#[test]
fn changes_during_a_push_become_one_more_push() {
    let mut bench = Bench::settled(&[("a", "p")]);
    bench.desired(&[("a", "first")]);
    assert_eq!(bench.pass_ms(10), ["a: push (1, 1) [first]"]);
    for change in 0..1000 {
        assert_eq!(bench.desired(&[("a", &format!("change{change}"))]), [""; 0]);
    }
    assert_eq!(
        bench.answer("a", Outcome::Accepted),
        ["a: holds (1, 1) [first]", "a: push (1, 2) [change999]"],
    );
    assert_eq!(bench.answer("a", Outcome::Accepted), ["a: holds (1, 2) [change999]"]);
    assert_eq!(bench.pass_ms(1000), [""; 0]);
}

#[test]
fn every_half_minute_a_node_is_compared_and_put_right() {
    let mut bench = Bench::settled(&[("a", "p")]);
    assert_eq!(bench.pass_ms(26_999), [""; 0]);
    assert_eq!(bench.pass_ms(3001), ["a: compare"]);
    // In agreement: nothing to tell.
    assert_eq!(bench.answer("a", holds("p", None)), [""; 0]);
    assert_eq!(bench.pass_ms(HALF_A_MINUTE_MS), ["a: compare"]);
    assert_eq!(bench.answer("a", holds("", None)), ["a: push (1, 1) [p]"]);
}

#[test]
fn an_edited_node_is_pushed_the_same_pair_again() {
    let mut bench = Bench::settled(&[("a", "p")]);
    bench.desired(&[("a", "p q")]);
    bench.pass_ms(10);
    bench.answer("a", Outcome::Accepted);
    for pods_held in ["p", "p q"] {
        bench.pass_ms(HALF_A_MINUTE_MS);
        let Outcome::State(state) = holds(pods_held, Some((1, 1))) else { panic!("a state") };
        let edited = Outcome::State(DmState { edited: true, ..state });
        assert_eq!(bench.answer("a", edited), ["a: push (1, 1) [p q]"], "holding {pods_held}");
        bench.answer("a", Outcome::Accepted);
    }
}

#[test]
fn go_nodes_are_compared_by_root() {
    let mut bench = Bench::new(Options::default());
    bench.epoch(1);
    bench.desired(&[("a", "p"), ("b", "q")]);
    bench.up("a");
    bench.up("b");
    assert_eq!(bench.answer("a", go_holds("p")), ["a: reachable", "a: holds unnumbered [p]"]);
    assert_eq!(bench.answer("b", go_holds("")), ["b: reachable", "b: push (1, 1) [q]"]);
    bench.answer("b", Outcome::Accepted);
    bench.pass_ms(HALF_A_MINUTE_MS);
    // A Go dm never tells a pair; the root alone settles it.
    assert_eq!(bench.answer("b", go_holds("q")), [""; 0]);
}

#[test]
fn our_nodes_are_compared_by_digest_whatever_their_root() {
    let mut bench = Bench::new(Options::default());
    bench.epoch(1);
    bench.desired(&[("a", "p")]);
    bench.up("a");
    let state = DmState {
        root: set("p").merkle_root(),
        digest: Some(set("p q").digest()),
        held: None,
        edited: false,
    };
    assert_eq!(bench.answer("a", Outcome::State(state)), ["a: reachable", "a: push (1, 1) [p]"]);
}

#[test]
fn a_node_that_moves_is_compared_where_it_is_now() {
    let mut bench = Bench::settled(&[("a", "p")]);
    bench.desired(&[("a", "q")]);
    bench.pass_ms(10);
    let push = bench.call("a");
    assert_eq!(bench.up_at("a", "http://second"), ["a: cancel", "a: compare elsewhere"]);
    assert_eq!(bench.answer_call("a", push, Outcome::Accepted), [""; 0]);
    assert_eq!(bench.answer("a", holds("p", None)), ["a: push (1, 1) [q] elsewhere"]);
}
