//! What the index makes of lists and events, in good order and in bad.

use super::*;

fn pod(uid: &str) -> Pod {
    Pod {
        uid: uid.into(),
        name: format!("pod-{uid}"),
        namespace: "default".into(),
        node: None,
        labels: gthulhu_lib::labels::Labels::default(),
        terminal: false,
    }
}

fn on(node: &str, uid: &str) -> Pod {
    Pod { node: Some(node.into()), ..pod(uid) }
}

fn ended(uid: &str) -> Pod {
    Pod { terminal: true, ..on("n1", uid) }
}

fn object(pod: Pod) -> Object {
    Object::Pod(pod.uid.clone(), pod, None)
}

fn listed(pods: Vec<Pod>) -> Listed {
    Listed { objects: pods.into_iter().map(object).collect(), unclear: Vec::new() }
}

fn unclear(key: &str) -> Unclear {
    Unclear { key: Some(key.into()), fault: "no name".into() }
}

/// An index that has read all kinds: these pods, no node, no namespace.
fn index(pods: Vec<Pod>) -> Index {
    let mut index = Index::default();
    index.listed(Kind::Pods, listed(pods));
    index.listed(Kind::Nodes, Listed::default());
    index.listed(Kind::Namespaces, Listed::default());
    index
}

fn uids(index: &Index) -> Vec<String> {
    let mut uids: Vec<_> = index.view().pods.iter().map(|pod| pod.uid.clone()).collect();
    uids.sort();
    uids
}

#[test]
fn a_view_is_complete_when_every_kind_was_read_or_cannot_be() {
    let mut index = Index::default();
    assert!(!index.view().complete);
    index.listed(Kind::Pods, listed(vec![on("n1", "a")]));
    let view = index.view();
    assert!(!view.complete && view.reason.is_some());
    assert_eq!(view.nodes[0].name, "n1", "before nodes were read, those that pods name");
    index.listed(Kind::Nodes, Listed::default());
    index.failed(Kind::Namespaces, "it answers 403");
    let view = index.view();
    assert!(view.complete && !view.lost && view.namespaces.is_none());
    assert!(view.reason.unwrap().contains("namespaces cannot be followed"));
    index.listed(
        Kind::Namespaces,
        Listed { objects: vec![Object::Namespace("shop".into())], ..Listed::default() },
    );
    index.touched(Kind::Namespaces);
    let view = index.view();
    assert_eq!((view.reason, view.namespaces.unwrap().first().map(String::as_str)), (None, Some("shop")));
}

#[test]
fn an_api_that_is_away_leaves_the_view_as_it_was_and_marks_it() {
    let mut index = index(vec![on("n1", "a")]);
    index.take_changed();
    assert!(index.failed(Kind::Pods, "connection refused"));
    assert!(!index.failed(Kind::Pods, "connection refused"), "it is told once");
    assert!(index.take_changed());
    let view = index.view();
    assert!(view.complete && view.lost && !view.is_all());
    assert_eq!(view.pods.len(), 1);
    assert!(view.reason.unwrap().ends_with("connection refused"));
    assert!(index.touched(Kind::Pods) && !index.touched(Kind::Pods));
    assert!(index.view().is_all());
}

#[test]
fn before_the_first_list_nothing_is_complete_whatever_fails() {
    let mut index = Index::default();
    for kind in Kind::ALL {
        index.failed(kind, "connection refused");
    }
    let view = index.view();
    assert!(!view.complete && !view.lost && view.reason.is_some());
}

#[test]
fn repeated_events_change_nothing() {
    let mut index = index(vec![on("n1", "a")]);
    index.take_changed();
    assert_eq!(index.put(object(on("n1", "a"))), Ok(()));
    assert!(!index.take_changed());
    index.gone(Kind::Pods, "a");
    assert!(index.take_changed());
    index.gone(Kind::Pods, "a");
    assert!(!index.take_changed());
    assert!(uids(&index).is_empty());
}

#[test]
fn what_can_never_happen_is_disorder_and_is_not_believed() {
    let mut index = index(vec![on("n1", "a"), ended("b"), pod("c")]);
    index.gone(Kind::Pods, "c");
    for wrong in [on("n2", "a"), pod("a"), on("n1", "b"), pod("c")] {
        let told = format!("{wrong:?}");
        assert!(index.put(object(wrong)).is_err(), "{told}");
    }
    assert_eq!(uids(&index), ["a", "b"]);
    let view = index.view();
    assert!(view.pods.iter().all(|pod| pod.node.as_deref() == Some("n1")));
    // A list is the truth whatever it contradicts.
    index.listed(Kind::Pods, listed(vec![pod("a"), pod("c")]));
    assert_eq!(uids(&index), ["a", "c"]);
    assert!(index.view().pods.iter().all(|pod| pod.node.is_none()));
}

#[test]
fn a_pod_of_the_same_name_is_another_pod() {
    let mut index = index(vec![on("n1", "a")]);
    let successor = Pod { name: "pod-a".into(), ..on("n2", "b") };
    assert_eq!(index.put(object(successor)), Ok(()));
    index.gone(Kind::Pods, "a");
    assert_eq!(uids(&index), ["b"]);
}

#[test]
fn of_an_object_that_makes_no_sense_what_was_known_stays() {
    let mut index = index(vec![on("n1", "a"), on("n1", "b")]);
    index.unclear(Kind::Pods, "a".into(), "no name".into());
    assert_eq!(uids(&index), ["a", "b"]);
    assert_eq!(index.view().reason.as_deref(), Some("of pods, a makes no sense: no name"));
    assert!(index.view().is_all());
    index.listed(Kind::Pods, Listed { objects: vec![object(on("n1", "c"))], unclear: vec![unclear("a")] });
    assert_eq!(uids(&index), ["a", "c"]);
    assert!(index.view().reason.is_some());
    assert_eq!(index.put(object(on("n1", "a"))), Ok(()));
    assert_eq!(index.view().reason, None);
}

#[test]
fn each_object_that_makes_no_sense_is_named_until_it_does() {
    let mut index = index(vec![on("n1", "a"), on("n1", "b")]);
    let reason = |index: &Index| index.view().reason.unwrap_or_default();
    for uid in ["a", "b"] {
        index.unclear(Kind::Pods, uid.into(), "no name".into());
    }
    assert_eq!(index.put(object(on("n1", "b"))), Ok(()));
    assert!(reason(&index).contains("a makes no sense"), "{}", reason(&index));
    index.gone(Kind::Pods, "a");
    assert_eq!(reason(&index), "");
    // However many they are, no more than so many are kept.
    for uid in 0..2 * UNCLEAR_MAX {
        index.unclear(Kind::Pods, uid.to_string(), "no name".into());
    }
    assert_eq!(index.standing[&Kind::Pods].unclear.len(), UNCLEAR_MAX);
    index.listed(Kind::Pods, listed(vec![]));
    assert_eq!(reason(&index), "");
}

#[test]
fn a_pod_that_claims_anothers_uid_is_named_and_not_shown() {
    let mirror = |uid: &str| Object::Pod(uid.into(), on("n1", "static"), None);
    let mut index = index(vec![]);
    assert_eq!(index.put(mirror("first")), Ok(()));
    assert_eq!(index.put(mirror("second")), Ok(()));
    assert_eq!(uids(&index), ["static"]);
    let reason = "of pods, second makes no sense: there is another pod static";
    assert_eq!(index.view().reason.as_deref(), Some(reason));
    index.gone(Kind::Pods, "second");
    assert_eq!((uids(&index).len(), index.view().reason), (1, None));
    index.gone(Kind::Pods, "first");
    assert!(uids(&index).is_empty());
}

#[test]
fn what_was_read_of_other_kinds_counts_only_while_they_are_followed() {
    let mut index = index(vec![]);
    let shop = Listed { objects: vec![Object::Namespace("shop".into())], ..Listed::default() };
    index.listed(Kind::Namespaces, shop);
    assert!(index.view().namespaces.is_some() && !index.view().nodes_lost);
    index.failed(Kind::Namespaces, "connection refused");
    index.failed(Kind::Nodes, "connection refused");
    let view = index.view();
    assert!(view.is_all() && view.namespaces.is_none() && view.nodes_lost);
    index.touched(Kind::Namespaces);
    index.touched(Kind::Nodes);
    assert!(index.view().namespaces.is_some() && !index.view().nodes_lost);
}
