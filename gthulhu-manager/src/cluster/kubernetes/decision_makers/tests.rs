//! Who is believed to be a decision maker, and where it is.

use serde_json::{Value, json};

use super::super::read::{Kind, Object};
use super::*;

fn finder() -> Finder {
    Finder {
        namespace: "gthulhu-system".into(),
        labels: vec![Selector::new("app", "decisionmaker")],
        service_account: "gthulhu-decisionmaker".into(),
    }
}

fn pod() -> Value {
    json!({
        "metadata": {"name": "dm-1", "namespace": "gthulhu-system", "uid": "u1",
            "labels": {"app": "decisionmaker", "hash": "x"}, "creationTimestamp": "2026-03-01T10:00:00Z"},
        "spec": {"nodeName": "n1", "serviceAccountName": "gthulhu-decisionmaker", "containers": [
            {"name": "sidecar"},
            {"name": "dm", "ports": [{"name": "metrics", "containerPort": 9}, {"name": "http", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// Where the pod is spoken to, if it is believed.
fn judged(pod: &Value) -> Option<String> {
    let Ok(Object::Pod(_, _, candidate)) = Kind::Pods.read(&pod.to_string(), Some(&finder())) else {
        panic!("a pod: {pod}")
    };
    candidate.map(|candidate| format!("{} {}", candidate.node, candidate.address))
}

/// The pod with `value` at `path`.
fn with(path: &str, value: Value) -> Value {
    let mut pod = pod();
    let (parent, key) = path.rsplit_once('/').unwrap();
    match pod.pointer_mut(parent).unwrap() {
        Value::Object(parent) => drop(parent.insert(key.to_owned(), value)),
        parent => panic!("{path}: {parent}"),
    }
    pod
}

#[test]
fn namespace_labels_and_service_account_must_all_fit() {
    assert_eq!(judged(&pod()).as_deref(), Some("n1 10.0.0.1:8080"));
    for (path, value) in [
        ("/metadata/namespace", json!("default")),
        ("/metadata/labels", json!({"app": "web"})),
        ("/spec/serviceAccountName", json!("default")),
        ("/spec/serviceAccountName", Value::Null),
    ] {
        assert_eq!(judged(&with(path, value.clone())), None, "{path} {value}");
    }
}

#[test]
fn a_pod_that_cannot_be_spoken_to_is_left_out() {
    for (path, value) in [
        ("/spec/nodeName", Value::Null),
        ("/status/podIP", Value::Null),
        ("/status/podIP", json!("name.example")),
        ("/status/phase", json!("Failed")),
        ("/metadata/deletionTimestamp", json!("2026-03-01T11:00:00Z")),
        ("/spec/containers", json!([{"name": "dm"}])),
        ("/spec/containers", json!("none")),
    ] {
        assert_eq!(judged(&with(path, value.clone())), None, "{path} {value}");
    }
}

#[test]
fn ready_is_who_says_so() {
    for (conditions, ready) in [
        (json!([{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}]), true),
        (json!([{"type": "Ready", "status": "False"}]), false),
        (json!([{"type": "Initialized", "status": "True"}]), false),
        (Value::Null, false),
    ] {
        let raw = with("/status/conditions", conditions.clone()).to_string();
        let Ok(Object::Pod(_, _, Some(candidate))) = Kind::Pods.read(&raw, Some(&finder())) else {
            panic!("a candidate: {raw}")
        };
        assert_eq!(candidate.ready, ready, "{conditions}");
    }
}

#[test]
fn the_port_is_found_by_name_and_else_it_is_the_first_that_may_be_it() {
    let port = |ports: Value| judged(&with("/spec/containers", json!([{"name": "dm", "ports": ports}])));
    let tcp = |name: &str, port: u16| json!({"name": name, "containerPort": port});
    assert_eq!(
        port(json!([tcp("metrics", 1), tcp("dm", 2), tcp("api", 3)])).as_deref(),
        Some("n1 10.0.0.1:3")
    );
    assert_eq!(port(json!([tcp("prometheus", 1), tcp("other", 2)])).as_deref(), Some("n1 10.0.0.1:2"));
    assert_eq!(port(json!([{"containerPort": 4}])).as_deref(), Some("n1 10.0.0.1:4"));
    assert_eq!(port(json!([{"name": "http", "containerPort": 4, "protocol": "UDP"}])), None);
    assert_eq!(port(json!([{"name": "http", "containerPort": 0}])), None);
    assert_eq!(port(json!([{"name": "http", "containerPort": 70000}])), None);
    assert_eq!(judged(&with("/status/podIP", json!("fd00::1"))).as_deref(), Some("n1 [fd00::1]:8080"));
}

fn candidate(node: &str, created: &str, ready: bool) -> Candidate {
    Candidate { node: node.into(), created: created.into(), address: ([10, 0, 0, 1], 1).into(), ready }
}

/// Who is chosen now, `NODE UID` each.
fn chosen(of: &mut Chosen) -> Vec<String> {
    of.choose();
    of.by_node().iter().map(|(node, found)| format!("{node} {}", found.instance)).collect()
}

#[test]
fn of_several_on_a_node_the_newest_is_taken() {
    let mut of = Chosen::default();
    of.put("old", Some(candidate("n1", "2026-03-01T09:59:59Z", true)));
    of.put("new", Some(candidate("n1", "2026-03-01T10:00:00Z", true)));
    of.put("only", Some(candidate("n2", "2020-01-01T00:00:00Z", true)));
    assert_eq!(chosen(&mut of), ["n1 new", "n2 only"]);
    of.retain(|uid| uid != "new");
    assert_eq!(chosen(&mut of), ["n1 old", "n2 only"]);
    assert!(!of.choose(), "nothing has changed");
}

#[test]
fn one_that_was_ready_stays_until_another_one_is() {
    let mut of = Chosen::default();
    let old = |ready| Some(candidate("n1", "2026-03-01T10:00:00Z", ready));
    let new = |ready| Some(candidate("n1", "2026-03-01T11:00:00Z", ready));
    of.put("old", old(false));
    assert_eq!(chosen(&mut of), [""; 0], "not ready yet");
    of.put("old", old(true));
    assert_eq!(chosen(&mut of), ["n1 old"]);
    // Its node's scheduler is restarted.
    of.put("old", old(false));
    of.put("new", new(false));
    assert_eq!(chosen(&mut of), ["n1 old"]);
    of.put("new", new(true));
    assert_eq!(chosen(&mut of), ["n1 new"]);
    of.put("old", old(true));
    of.put("new", new(false));
    assert_eq!(chosen(&mut of), ["n1 old"]);
    of.put("old", None);
    assert_eq!(chosen(&mut of), ["n1 new"]);
    of.put("new", None);
    assert_eq!(chosen(&mut of), [""; 0]);
}
