//! What a pod's intents come to as a whole, and name by name.

use super::*;
use crate::engine::PodRule;

fn comm(name: &str) -> Comm {
    Comm::new(name.as_bytes())
}

#[test]
fn a_pods_rule_depends_on_names_only_if_its_strongest_intent_does() {
    let set = intents(&[
        ("Plain", 1, 5, ""),
        ("plain", 2, 7, "nginx"),
        ("mixed", 1, 5, ""),
        ("mixed", 2, 3, "nginx"),
        ("tied", 2, 5, ""),
        ("tied", 1, 5, "nginx"),
        ("zero", 1, 0, ""),
        ("zero", 2, 20, "x"),
    ]);
    let (mut engine, _) = engine(&[]);
    engine.apply(set).unwrap();
    let uniform = |priority| Some(PodRule::Uniform(Resolved::clamped(priority, 0)));
    for (pod, rule, strongest) in [
        ("plain", uniform(5), vec![5, 7]),
        ("mixed", Some(PodRule::ByComm), vec![3, 5]),
        ("tied", Some(PodRule::ByComm), vec![5, 5]),
        ("zero", Some(PodRule::ByComm), vec![20, 0]),
        ("other", None, vec![]),
    ] {
        assert_eq!(engine.pod_rule(pod), rule, "{pod}");
        assert_eq!(engine.pod_intents(pod).map(Intent::priority).collect::<Vec<_>>(), strongest, "{pod}");
    }
    let mut pods: Vec<&str> = engine.governed_pods().collect();
    pods.sort_unstable();
    assert_eq!(pods, ["mixed", "plain", "tied", "zero"]);
}

#[test]
fn a_verdict_is_the_strategy_that_a_process_of_that_name_gets() {
    let names = ["nginx", "worker", "sh", "pause", ""];
    let processes: Vec<Process> = (1..)
        .zip(["a", "b"].into_iter().flat_map(|pod| names.map(|name| (pod, name))))
        .map(|(number, (pod, name))| process(number * 10, pod, name))
        .collect();
    let (mut engine, _) = engine(&processes);
    engine
        .apply(intents(&[
            ("a", 1, 3, "^nginx$"),
            ("a", 2, 2, "worker|pause"),
            ("a", 3, 9, "n|w"),
            ("b", 1, 4, ""),
        ]))
        .unwrap();
    for process in processes {
        let row = engine.rows().iter().find(|row| row.tid == process.id.pid).map(|row| row.resolved);
        assert_eq!(engine.verdict(&process.pod_uid, &process.comm), row, "{process:?}");
    }
    // Of names that no process has, and of a pod without intents.
    assert_eq!(engine.verdict("a", &comm("swap")), Some(Resolved::clamped(9, 0)));
    assert_eq!(engine.verdict("a", &comm("x")), None);
    assert_eq!(engine.verdict("c", &comm("nginx")), None);
}
