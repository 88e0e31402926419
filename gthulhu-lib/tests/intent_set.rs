//! Sets of intents: canonical whatever the order, and complete.

use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::intent::{COMMAND_REGEXES_MAX, Intent, Limits};
use gthulhu_lib::wire::IntentBody;
use proptest::prelude::*;

fn check(bodies: Vec<IntentBody>) -> IntentSet {
    IntentSet::check(bodies, &Limits::default()).expect("valid bodies")
}

fn pod(uid: &str) -> IntentBody {
    IntentBody { pod_id: uid.to_owned(), ..IntentBody::default() }
}

/// Small alphabets, so that equal sort keys, shared prefixes and duplicates are common.
fn body() -> impl Strategy<Value = IntentBody> {
    let labels = prop::collection::btree_map("[ab](-[ab])?", "[ab]?", 0..3);
    let strategy = prop::option::of("[ab]{24}");
    ("[a|b]{0,2}", "[a|]{1,2}", "[a|]{0,1}", "a?", "[a|]?", 0_i64..12, labels, strategy).prop_map(
        |(pod_name, pod_id, node_id, k8s_namespace, command_regex, priority, pod_labels, strategy_id)| {
            IntentBody {
                pod_name,
                pod_id,
                node_id,
                k8s_namespace,
                command_regex,
                priority,
                execution_time: priority * 100_000,
                pod_labels: pod_labels.into(),
                strategy_id,
            }
        },
    )
}

proptest! {
    #[test]
    fn the_order_of_arrival_leaves_no_trace(
        (bodies, shuffled) in prop::collection::vec(body(), 0..12)
            .prop_flat_map(|bodies| (Just(bodies.clone()), Just(bodies).prop_shuffle()))
    ) {
        let (set, other) = (check(bodies.clone()), check(shuffled));
        prop_assert_eq!(&set, &other);
        prop_assert_eq!(set.to_wire(), other.to_wire());
        prop_assert_eq!(set.merkle_root(), other.merkle_root());
        prop_assert_eq!(set.digest(), other.digest());
        prop_assert_eq!(set.len(), bodies.len());
        let one_by_one = bodies.into_iter().map(|body| Intent::check(body, &Limits::default()).unwrap());
        prop_assert_eq!(&set, &one_by_one.collect::<IntentSet>());
        prop_assert_eq!(&check(set.to_wire()), &set);
    }

    #[test]
    fn different_sets_have_different_digests(
        one in prop::collection::vec(body(), 0..3),
        other in prop::collection::vec(body(), 0..3),
    ) {
        let (one, other) = (check(one), check(other));
        prop_assert_eq!(one == other, one.digest() == other.digest());
    }

    #[test]
    fn without_a_pod_is_the_set_never_given_it(bodies in prop::collection::vec(body(), 0..12)) {
        let rest = bodies.iter().filter(|body| body.pod_id != "a").cloned().collect();
        prop_assert_eq!(check(bodies).without_pod("a"), check(rest));
    }
}

#[test]
fn a_fault_names_the_position_as_it_came() {
    let bad = IntentBody { priority: 21, ..pod("a") };
    let fault = IntentSet::check(vec![pod("z"), pod("y"), bad], &Limits::default()).unwrap_err();
    assert_eq!(fault.to_string(), "intents[2].priority must be 0 to 20");
    let bad = IntentBody { command_regex: "(".to_owned(), ..pod("a") };
    let fault = IntentSet::check(vec![pod("z"), bad.clone(), bad], &Limits::default()).unwrap_err();
    assert_eq!(fault.field, "intents[1].commandRegex");
    let fault = IntentSet::check(vec![pod("")], &Limits::default()).unwrap_err();
    assert_eq!(fault.field, "intents[0].podID");
}

/// A pod of this number, with a regex of this number.
fn with_regex(pod_number: usize, regex: usize) -> IntentBody {
    IntentBody { command_regex: format!("r{regex}"), ..pod(&format!("{pod_number:05}")) }
}

#[test]
fn one_distinct_regex_too_many_refuses_the_set_before_any_is_compiled() {
    let mut bodies: Vec<_> = (0..COMMAND_REGEXES_MAX).map(|number| with_regex(number, number)).collect();
    // Neither repeated regexes nor the empty one count.
    bodies.extend([with_regex(0, 7), pod("b")]);
    assert_eq!(check(bodies.clone()).len(), COMMAND_REGEXES_MAX + 2);
    bodies.push(with_regex(0, COMMAND_REGEXES_MAX));
    // This one would be the first fault, were it compiled.
    bodies[0].command_regex = "(".to_owned();
    let fault = IntentSet::check(bodies, &Limits::default()).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "intents[1026].commandRegex must be one of at most 1024 distinct regexes in a set"
    );
}

#[test]
fn what_is_split_off_at_the_bound_has_the_last_regexes_in_canonical_order() {
    let intents = |numbers: &[(usize, usize)]| {
        let bodies = numbers.iter().map(|&(pod, regex)| with_regex(pod, regex));
        bodies.map(|body| Intent::check(body, &Limits::default()).unwrap()).collect::<IntentSet>()
    };
    let within: Vec<_> = (0..COMMAND_REGEXES_MAX).map(|number| (number, number)).collect();
    let set = intents(&within);
    assert_eq!(set.split_at_regex_bound(), (set, Vec::new()));

    // Far behind in the order, but with a regex that is there already.
    let within = [within, vec![(9_000, 3)]].concat();
    let beyond = [(8_000, 1_024), (8_001, 1_025), (9_001, 1_024)];
    let (stays, goes) = intents(&[&beyond[..], &within].concat()).split_at_regex_bound();
    assert_eq!(stays, intents(&within));
    assert_eq!(goes, intents(&beyond).as_slice());
    assert_eq!(check(stays.to_wire()), stays);
}

#[test]
fn canonical_order_is_that_of_the_sort_keys() {
    let named = |name: &str, uid: &str| IntentBody { pod_name: name.to_owned(), ..pod(uid) };
    // `-` comes before the separator `|`, so the longer name is first.
    let set = check(vec![named("a", "2"), named("b", "0"), named("a-1", "1"), named("a", "1")]);
    let order: Vec<_> = set.iter().map(|intent| (intent.pod_name(), intent.pod_uid())).collect();
    assert_eq!(order, [("a-1", "1"), ("a", "1"), ("a", "2"), ("b", "0")]);
}

#[test]
fn the_empty_set() {
    let empty = IntentSet::default();
    assert!(empty.is_empty());
    assert_eq!(empty, check(Vec::new()));
    assert_eq!(empty.iter().count(), 0);
    assert_eq!(empty.merkle_root(), check(Vec::new()).merkle_root());
}

#[test]
fn duplicates_stay() {
    let set = check(vec![pod("a"), pod("a")]);
    assert_eq!(set.len(), 2);
    assert_ne!(set.merkle_root(), check(vec![pod("a")]).merkle_root());
    assert!(set.without_pod("a").is_empty() && set.without_pod("A").is_empty());
}
