//! What nodes tell, believed as far as it goes.

use std::sync::Arc;

use gthulhu_lib::explain::Verdict;
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::wire::IntentBody;
use gthulhu_lib::wire::preview::{Conflict, MatchedProcess};

use super::*;
use crate::domain::Strategy;

fn id(number: u8) -> Id {
    Id::from_bytes([number; 12])
}

fn pod(number: usize, node: &str) -> Arc<Pod> {
    Arc::new(Pod {
        uid: format!("uid-{number:03}"),
        name: format!("pod-{number:03}"),
        namespace: "default".into(),
        node: Some(node.into()),
        labels: gthulhu_lib::labels::Labels::default(),
        terminal: false,
    })
}

/// Strategy 2 rehearsed for these pods, beside strategy 1, which is for the same ones and stronger.
fn outcome(pods: Vec<Arc<Pod>>, told: Vec<(&str, Result<PreviewReply, AskError>)>) -> Outcome {
    let strategy = Strategy {
        id: id(2),
        creator: id(9),
        updater: id(9),
        created_ms: 0,
        updated_ms: 0,
        strategy_namespace: String::new(),
        label_selectors: Vec::new(),
        k8s_namespace: Vec::new(),
        command_regex: String::new(),
        priority: 5,
        execution_time: 0,
    };
    let mut bodies: BTreeMap<String, Vec<IntentBody>> = BTreeMap::new();
    for pod in &pods {
        for (strategy, priority) in [(1, 3), (2, 5)] {
            let pod_id = pod.uid.clone();
            let strategy_id = Some(id(strategy).to_string());
            let body = IntentBody { pod_id, priority, strategy_id, ..IntentBody::default() };
            bodies.entry(pod.node.clone().unwrap()).or_default().push(body);
        }
    }
    let set = |(node, bodies)| (node, IntentSet::check(bodies, &Limits::default()).unwrap());
    let rehearsal = Rehearsal {
        strategy,
        own: BTreeSet::new(),
        limits: Limits::default(),
        refusal: None,
        incomplete: None,
        pods,
        desired: HashMap::new(),
        unasked: BTreeSet::new(),
        near_misses: Vec::new(),
        near_miss_count: 0,
    };
    let told = told.into_iter().map(|(node, answer)| (node.to_owned(), answer)).collect();
    Outcome { rehearsal, sets: Sets(bodies.into_iter().map(set).collect()), told }
}

fn seen(strategy: u8, pod: usize, matched: u64) -> IntentPreview {
    let process = |pid| MatchedProcess { pid, command: "x".into(), tasks: 1, verdict: Verdict::Wins };
    IntentPreview {
        strategy_id: Some(id(strategy)),
        pod_id: format!("uid-{pod:03}"),
        pod_processes: matched,
        matched,
        wins: matched,
        tasks: matched,
        processes: (1..=u32::try_from(matched.min(1000)).unwrap()).map(process).collect(),
        conflicts: vec![
            Conflict { strategy_id: Some(id(1)), won: 0, lost: matched },
            Conflict { strategy_id: Some(id(7)), won: 1, lost: 1 },
        ],
        ..IntentPreview::default()
    }
}

fn reply(intents: Vec<IntentPreview>) -> PreviewReply {
    PreviewReply { intents, ..PreviewReply::default() }
}

#[test]
fn a_node_speaks_for_its_own_pods_and_for_the_strategy_in_question() {
    let pods = vec![pod(1, "n1"), pod(2, "n2"), pod(3, "n3")];
    let refused = Err(AskError::Unreachable("10.0.0.7: connection refused".into()));
    // The first one tells of what it was not asked, and not of what it was.
    let told = vec![
        ("n1", Ok(reply(vec![seen(2, 2, 7), seen(1, 1, 7)]))),
        ("n2", Ok(reply(vec![seen(2, 2, 1)]))),
        ("n3", refused),
    ];
    let answer = outcome(pods, told).into_answer();
    let states: Vec<_> = answer.pods.iter().map(|pod| pod.state).collect();
    assert_eq!(states, [Seeing::Unknown, Seeing::Known, Seeing::Unknown]);
    assert_eq!((answer.totals.pods, answer.totals.nodes, answer.totals.matched), (3, 3, 1));
    let unknown: Vec<_> =
        answer.unknown.iter().map(|node| (node.node_id.as_str(), node.reason.as_str())).collect();
    assert_eq!(unknown, [("n1", SILENT), ("n3", "the decision maker of this node cannot be reached")]);
    assert!(answer.unknown.iter().all(|node| node.pods == 1));
    let [conflict] = &answer.conflicts[..] else {
        panic!("strategies that share no pod are not believed in")
    };
    assert_eq!((conflict.strategy_id, conflict.stronger, conflict.pods), (id(1), true, 3));
    assert_eq!((conflict.won, conflict.lost), (0, 1));
}

#[test]
fn figures_beyond_all_measure_end_at_the_greatest_one() {
    let told = Ok(reply(vec![seen(2, 1, u64::MAX), seen(2, 2, u64::MAX)]));
    let answer = outcome(vec![pod(1, "n1"), pod(2, "n1")], vec![("n1", told)]).into_answer();
    assert_eq!((answer.totals.matched, answer.totals.tasks), (u64::MAX, u64::MAX));
    assert_eq!(answer.conflicts[0].lost, u64::MAX);
    assert!(answer.truncated);
}

#[test]
fn lists_are_bounded_and_sums_are_not() {
    let count = PODS_MAX + 2;
    let pods: Vec<_> = (0..count).map(|number| pod(number, "n1")).collect();
    let told = reply((0..count).map(|number| seen(2, number, 100)).collect());
    let answer = outcome(pods, vec![("n1", Ok(told))]).into_answer();
    let listed: usize = answer.pods.iter().map(|pod| pod.seen.as_ref().unwrap().processes.len()).sum();
    assert_eq!((answer.pods.len(), listed, answer.truncated), (PODS_MAX, PROCESSES_MAX, true));
    assert_eq!((answer.totals.pods, answer.totals.matched), (count, 100 * count as u64));
}
