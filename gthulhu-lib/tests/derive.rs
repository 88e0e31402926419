//! Derivation against a model that is too simple to be wrong, and its corner cases one by one.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use gthulhu_lib::derive::{Catalogue, Pod, StrategySpec, derive, matching};
use gthulhu_lib::id::{Id, intent_id};
use gthulhu_lib::intent::{Intent, Limits};
use gthulhu_lib::selector::Selector;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

type Labels = &'static [(&'static str, &'static str)];
type Texts = &'static [&'static str];

fn id(number: u8) -> Id {
    Id::from_bytes([number; 12])
}

fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn pod(uid: &str, namespace: &str, of: &[(&str, &str)]) -> Pod {
    Pod {
        uid: uid.to_owned(),
        name: format!("pod-{uid}"),
        namespace: namespace.to_owned(),
        node: Some("n1".to_owned()),
        labels: labels(of).into(),
        terminal: false,
    }
}

fn strategy(number: u8, selectors: &[(&str, &str)], namespaces: &[&str]) -> StrategySpec {
    StrategySpec {
        id: id(number),
        selectors: selectors.iter().map(|&(key, value)| Selector::new(key, value)).collect(),
        namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
        command_regex: "nginx".to_owned(),
        priority: 3,
        execution_time: 20_000_000,
    }
}

fn shared<T>(items: Vec<T>) -> Vec<Arc<T>> {
    items.into_iter().map(Arc::new).collect()
}

/// (strategy, pod uid) of each derived intent, in order.
fn derived(strategies: Vec<StrategySpec>, pods: Vec<Pod>, excluded: &[Id]) -> Vec<(Id, String)> {
    let excluded: HashSet<Id> = excluded.iter().copied().collect();
    let derived = derive(&shared(strategies), &shared(pods), &excluded);
    derived.intents.into_iter().map(|intent| (intent.strategy.id, intent.pod.uid.clone())).collect()
}

/// The same by nested loops, word for word as the rules are told to users.
fn model(strategies: &[StrategySpec], pods: &[Pod], excluded: &[Id]) -> Vec<(Id, String)> {
    let mut found = Vec::new();
    for strategy in strategies {
        for pod in pods {
            let mut wanted = !pod.terminal && pod.node.is_some();
            for selector in &strategy.selectors {
                wanted &= match (selector.key.as_str(), selector.value.as_str()) {
                    ("", _) => true,
                    (key, "") => pod.labels.contains_key(key),
                    (key, value) => pod.labels.get(key).map(String::as_str) == Some(value),
                };
            }
            if !strategy.namespaces.is_empty() && strategy.namespaces != [""] {
                wanted &= strategy.namespaces.contains(&pod.namespace);
            }
            wanted &= !excluded.contains(&intent_id(strategy.id, &pod.uid));
            if wanted {
                found.push((strategy.id, pod.uid.clone()));
            }
        }
    }
    found.sort();
    found
}

fn any_strategies() -> impl Strategy<Value = Vec<StrategySpec>> {
    let selector = ("[ab]?", "[xyz]?").prop_map(|(key, value)| Selector { key, value });
    let parts = (prop::collection::vec(selector, 0..3), prop::collection::vec("[pq]?", 0..3));
    prop::collection::btree_map(0_u8..20, parts, 1..5).prop_map(|parts| {
        let specs = parts.into_iter().map(|(number, (selectors, namespaces))| StrategySpec {
            selectors,
            namespaces,
            ..strategy(number, &[], &[])
        });
        specs.collect()
    })
}

fn any_pods() -> impl Strategy<Value = Vec<Pod>> {
    let labels = prop::collection::btree_map("[abc]", "[xyz]?", 0..4);
    let parts =
        ("[pqr]", labels, prop::option::weighted(0.9, Just("n1".to_owned())), prop::bool::weighted(0.1));
    prop::collection::btree_map("[0-9]{2}", parts, 4..20).prop_map(|parts| {
        let pods = parts.into_iter().map(|(uid, (namespace, labels, node, terminal))| Pod {
            namespace,
            labels: labels.into(),
            node,
            terminal,
            ..pod(&uid, "", &[])
        });
        pods.collect()
    })
}

#[test]
fn equals_the_model() {
    let cases = any_strategies().prop_flat_map(|strategies| {
        (
            Just(strategies).prop_shuffle(),
            any_pods().prop_shuffle(),
            prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        )
    });
    let (total, telling) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::default();
    let run = runner.run(&cases, |(strategies, pods, picks)| {
        let every = model(&strategies, &pods, &[]);
        let excluded: Vec<Id> = picks
            .iter()
            .filter(|_| !every.is_empty())
            .map(|pick| pick.get(&every))
            .map(|(strategy, uid)| intent_id(*strategy, uid))
            .collect();
        let expected = model(&strategies, &pods, &excluded);
        total.set(total.get() + 1);
        if !expected.is_empty() && expected.len() < strategies.len() * pods.len() {
            telling.set(telling.get() + 1);
        }
        prop_assert_eq!(derived(strategies, pods, &excluded), expected);
        Ok(())
    });
    run.unwrap();
    let (total, telling) = (total.get(), telling.get());
    assert!(telling >= 100 && telling * 2 > total, "{telling} of {total} cases could tell a mistake");
}

/// What happens to the pods of a cluster.
#[derive(Debug, Clone)]
enum Change {
    Put(Pod),
    Remove(String),
    /// The whole list anew. Those that did not change are the same allocations as before.
    Set(Vec<Pod>),
}

fn any_changes() -> impl Strategy<Value = Vec<Change>> {
    let put = any_pods().prop_map(|mut pods| Change::Put(pods.swap_remove(0)));
    let change = prop_oneof![
        4 => put,
        2 => "[0-9]{2}".prop_map(Change::Remove),
        1 => any_pods().prop_shuffle().prop_map(Change::Set),
        // Uids that occur twice.
        1 => (any_pods(), any_pods()).prop_map(|(one, other)| Change::Set([one, other].concat())),
    ];
    prop::collection::vec(change, 1..8)
}

#[test]
fn a_catalogue_that_follows_changes_equals_one_made_anew() {
    let changes = Cell::new(0);
    let mut runner = TestRunner::default();
    let run = runner.run(&(any_pods(), any_changes(), any_strategies()), |(pods, sequence, strategies)| {
        let strategies = shared(strategies);
        let mut pods = shared(pods);
        let mut catalogue = Catalogue::new(&pods);
        for change in sequence {
            match change {
                Change::Put(pod) => {
                    let pod = Arc::new(pod);
                    pods.retain(|known| known.uid != pod.uid);
                    pods.push(Arc::clone(&pod));
                    catalogue.put(&pod);
                }
                Change::Remove(uid) => {
                    pods.retain(|known| known.uid != uid);
                    catalogue.remove(&uid);
                }
                Change::Set(list) => {
                    let same = |pod: &Pod| pods.iter().find(|known| ***known == *pod).cloned();
                    pods = list.into_iter().map(|pod| same(&pod).unwrap_or_else(|| Arc::new(pod))).collect();
                    catalogue.set(&pods);
                    let mut uids = HashSet::new();
                    pods.retain(|pod| uids.insert(pod.uid.clone()));
                }
            }
            changes.set(changes.get() + 1);
            let none = HashSet::new();
            prop_assert_eq!(catalogue.len(), pods.len());
            prop_assert_eq!(catalogue.derive(&strategies, &none), derive(&strategies, &pods, &none));
        }
        catalogue.set(&[]);
        prop_assert!(catalogue.is_empty());
        Ok(())
    });
    run.unwrap();
    // 256 cases of one to seven changes: about a thousand.
    assert!(changes.get() > 700, "{} changes", changes.get());
}

#[test]
fn one_strategy_at_a_time_is_the_same_rule_without_nodes() {
    let mut runner = TestRunner::default();
    let run = runner.run(&(any_strategies(), any_pods()), |(strategies, pods)| {
        let scheduled = pods.iter().map(|pod| Pod { node: Some("n1".to_owned()), ..pod.clone() });
        let scheduled: Vec<Pod> = scheduled.collect();
        let pods = shared(pods);
        for strategy in strategies {
            let found: Vec<_> =
                matching(&strategy, &pods).iter().map(|pod| (strategy.id, pod.uid.clone())).collect();
            prop_assert_eq!(found, model(&[strategy], &scheduled, &[]));
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn which_pods_a_strategy_means() {
    let pods = || {
        vec![
            pod("1", "default", &[("app", "web"), ("tier", "front")]),
            pod("2", "default", &[("app", "web"), ("empty", "")]),
            pod("3", "prod", &[("app", "db"), ("tier", "back")]),
        ]
    };
    let cases: [(Labels, Texts, Texts); 14] = [
        (&[], &[], &["1", "2", "3"]),
        (&[], &[""], &["1", "2", "3"]),
        (&[("app", "web")], &[], &["1", "2"]),
        (&[("app", "web"), ("tier", "front")], &[], &["1"]),
        (&[("app", "web"), ("app", "web")], &[], &["1", "2"]),
        (&[("app", "web"), ("app", "db")], &[], &[]),
        (&[("tier", "")], &[], &["1", "3"]),
        (&[("empty", "")], &[], &["2"]),
        (&[("", ""), ("", "web")], &[], &["1", "2", "3"]),
        (&[("unknown", "")], &[], &[]),
        (&[], &["prod"], &["3"]),
        (&[], &["prod", "default", "prod"], &["1", "2", "3"]),
        (&[], &["", "prod"], &["3"]),
        (&[("tier", "")], &["default", "elsewhere"], &["1"]),
    ];
    for (selectors, namespaces, expected) in cases {
        let spec = strategy(1, selectors, namespaces);
        let found = derived(vec![spec.clone()], pods(), &[]);
        let uids: Vec<_> = found.iter().map(|(_, uid)| uid.as_str()).collect();
        assert_eq!(uids, expected, "{selectors:?} in {namespaces:?}");
        assert_eq!(matching(&spec, &shared(pods())).len(), expected.len(), "{selectors:?} in {namespaces:?}");
    }
}

#[test]
fn ended_pods_never_match_and_unscheduled_ones_wait() {
    let ended = Pod { terminal: true, ..pod("1", "default", &[]) };
    let waiting = Pod { node: None, ..pod("2", "default", &[]) };
    let all = strategy(1, &[], &[]);
    assert_eq!(derived(vec![all.clone()], vec![ended.clone(), waiting.clone()], &[]), []);
    let pods = shared(vec![ended, waiting]);
    let matched = matching(&all, &pods);
    assert_eq!(matched.iter().map(|pod| pod.uid.as_str()).collect::<Vec<_>>(), ["2"]);
}

#[test]
fn an_exclusion_takes_one_intent_of_one_strategy() {
    let pods = vec![pod("1", "default", &[]), pod("2", "default", &[])];
    let strategies = vec![strategy(2, &[], &[]), strategy(1, &[], &[])];
    let found = derived(strategies, pods, &[intent_id(id(1), "2")]);
    assert_eq!(found, [(id(1), "1".to_owned()), (id(2), "1".to_owned()), (id(2), "2".to_owned())]);
}

#[test]
fn of_equals_the_first_counts() {
    let (first, second) = (pod("1", "default", &[]), pod("1", "prod", &[]));
    let strategies = vec![strategy(1, &[], &["default"]), strategy(1, &[], &["prod"])];
    assert_eq!(derived(strategies, vec![first, second], &[]), [(id(1), "1".to_owned())]);
}

#[test]
fn an_intent_carries_what_the_node_needs() {
    let strategies = shared(vec![strategy(0xab, &[("app", "")], &[])]);
    let pods = shared(vec![pod("u1", "default", &[("app", "web"), ("tier", "front")])]);
    let derived = derive(&strategies, &pods, &HashSet::new());
    let [intent] = derived.intents.as_slice() else { panic!("one intent: {derived:?}") };
    assert_eq!(intent.id, intent_id(id(0xab), "u1"));
    assert_eq!(intent.node(), "n1");
    let checked = Intent::check(intent.body(), &Limits::default()).unwrap();
    assert_eq!(checked.strategy(), Some(id(0xab)));
    assert_eq!((checked.pod_uid(), checked.pod_name()), ("u1", "pod-u1"));
    assert_eq!((checked.node(), checked.namespace()), ("n1", "default"));
    assert_eq!(checked.labels(), &pods[0].labels, "all labels, not only those selected");
    assert_eq!(checked.command_regex(), "nginx");
    assert_eq!((checked.priority(), checked.execution_time()), (3, 20_000_000));
}
