//! A rehearsal is what creating then does, to the letter of its refusals, and leaves nothing behind.

use super::*;
use crate::domain::{Permission, Policy};
use crate::service::testbed::{Bed, app, pod, pods};

fn rehearse(bed: &Bed, input: StrategyInput, allow_empty: bool) -> Result<Rehearsal, ServiceError> {
    bed.service.preview_strategy(&bed.admin(), "r-preview", input, allow_empty)
}

fn names(pods: &[Arc<Pod>]) -> Vec<&str> {
    pods.iter().map(|pod| pod.name.as_str()).collect()
}

#[test]
fn it_is_refused_as_creating_is_and_leaves_nothing_behind() {
    let bed = Bed::new();
    bed.create(app("web")).unwrap();
    let trace =
        || (bed.audit().len(), bed.strategies().len(), bed.intents().len(), *bed.service.changed().borrow());
    let before = trace();
    let elsewhere = StrategyInput { k8s_namespace: vec!["Default".into()], ..app("web") };
    for input in [
        StrategyInput { priority: 21, ..app("web") },
        StrategyInput { command_regex: "(".into(), ..app("web") },
        elsewhere,
    ] {
        let refused = rehearse(&bed, input.clone(), false).unwrap_err().to_string();
        assert_eq!(trace(), before);
        assert_eq!(refused, bed.create(input).unwrap_err().to_string());
    }
    assert_eq!(trace(), before);
    bed.outside.pods(pods(), false);
    let unknown = rehearse(&bed, app("none"), false).unwrap_err().to_string();
    assert_eq!(unknown, bed.create(app("none")).unwrap_err().to_string());
    let partly = rehearse(&bed, app("web"), false).unwrap();
    assert_eq!(partly.incomplete.as_deref(), Some("pods are being read"));
    bed.outside.pods(pods(), true);
    let nothing = rehearse(&bed, app("none"), false).unwrap();
    assert_eq!(
        nothing.refusal.map(|refusal| refusal.to_string()),
        Some(bed.create(app("none")).unwrap_err().to_string())
    );
    assert!(nothing.pods.is_empty() && nothing.desired.is_empty());
    assert!(rehearse(&bed, app("none"), true).unwrap().refusal.is_none());
    assert_eq!(trace(), before);
}

#[test]
fn nodes_would_have_to_hold_what_they_have_to_hold_then() {
    let bed = Bed::new();
    bed.create(app("db")).unwrap();
    bed.create(StrategyInput { priority: 5, ..StrategyInput::default() }).unwrap();
    for input in [app("web"), app("late"), StrategyInput::default(), app("db")] {
        let foreseen = rehearse(&bed, input.clone(), false).unwrap();
        let id = bed.create(input).unwrap();
        let as_created = |sets: Desired, id: Id| {
            let mut sets: Vec<_> = sets.into_iter().collect();
            sets.sort_by(|one, other| one.0.cmp(&other.0));
            // The exact id was not known; its place in the order of ids was.
            format!("{sets:?}").replace(&id.to_string(), "ID")
        };
        let asked: Vec<String> = foreseen.desired.keys().cloned().collect();
        let held = bed
            .service
            .wanted()
            .unwrap()
            .bodies()
            .into_iter()
            .filter(|(node, _)| asked.contains(node))
            .collect();
        assert_eq!(as_created(foreseen.desired, foreseen.strategy.id), as_created(held, id));
    }
}

#[test]
fn the_newest_strategy_has_the_greatest_id() {
    let bed = Bed::new();
    let mut last = Id::from_bytes([0; 12]);
    for _ in 0..50 {
        let foreseen = rehearse(&bed, app("web"), false).unwrap().strategy.id;
        let made = bed.create(app("web")).unwrap();
        assert!(foreseen > last && made > last, "{foreseen} {made} after {last}");
        last = made;
    }
}

#[test]
fn near_misses_are_named_and_those_of_other_namespaces_only_to_those_who_may_know() {
    let bed = Bed::new();
    let mut all = pods();
    all.push(Pod { terminal: true, ..pod("web-9", "default", Some("n1")) });
    all.push(pod("web-3", "data", Some("n2")));
    bed.outside.pods(all, true);
    let input = StrategyInput { k8s_namespace: vec!["default".into()], ..app("web") };
    let told = |rehearsal: Rehearsal| -> Vec<String> {
        let line = |miss: &PodMiss| format!("{}: {}: {}", miss.pod.name, miss.clause, miss.found);
        assert_eq!(rehearsal.near_misses.len(), rehearsal.near_miss_count);
        rehearsal.near_misses.iter().map(line).collect()
    };
    let rehearsal = rehearse(&bed, input.clone(), false).unwrap();
    assert_eq!(names(&rehearsal.pods), ["web-1", "web-2"]);
    let everybodys = [
        "web-9: phase: a pod that has ended",
        "late-1: labelSelectors[0]: app=late",
        "web-3: k8sNamespace: data",
    ];
    assert_eq!(told(rehearsal), everybodys);

    let in_default =
        Policy { k8s_namespace: "default".into(), ..Policy::everywhere(Permission::StrategyCreate) };
    let claims = bed.add_user("confined", vec![in_default]);
    let his = bed.service.preview_strategy(&bed.service.grant(&claims).unwrap(), "", input, false).unwrap();
    assert_eq!(told(his), everybodys[..2]);
    let beyond = StrategyInput { k8s_namespace: vec!["data".into()], ..app("web") };
    let refused = bed.service.preview_strategy(&bed.service.grant(&claims).unwrap(), "", beyond, false);
    assert!(matches!(refused, Err(ServiceError::Denied)));
    let everywhere =
        bed.service.preview_strategy(&bed.service.grant(&claims).unwrap(), "", app("web"), false);
    assert!(matches!(everywhere, Err(ServiceError::Denied)));
}

#[test]
fn so_many_nodes_are_asked_and_the_others_are_named() {
    let bed = Bed::new();
    let nodes = NODES_MAX + 3;
    let on = |number: usize| pod(&format!("web-{number:03}"), "default", Some(&format!("node-{number:03}")));
    bed.outside.pods((0..nodes).map(on).collect(), true);
    let rehearsal = rehearse(&bed, app("web"), false).unwrap();
    assert_eq!((rehearsal.pods.len(), rehearsal.desired.len()), (nodes, NODES_MAX));
    assert_eq!(rehearsal.unasked.len(), 3);
    assert!(rehearsal.desired.keys().all(|node| !rehearsal.unasked.contains(node)));
}
