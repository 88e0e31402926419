//! Objects as API servers write them, and as nobody should.

use super::*;
use crate::cluster::NodeHealth;

const POD: &str = r#"{"metadata": {"name": "web-1", "namespace": "shop", "uid": "u1", "resourceVersion": "41",
    "labels": {"app": "web"}, "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}]},
    "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]},
    "status": {"phase": "Running", "podIP": "10.0.0.1"}}"#;

#[test]
fn a_pod_is_reduced_to_what_intents_need() {
    let Ok(Object::Pod(_, pod, None)) = Kind::Pods.read(POD, None) else { panic!("a pod") };
    assert_eq!((pod.uid.as_str(), pod.name.as_str(), pod.namespace.as_str()), ("u1", "web-1", "shop"));
    assert_eq!((pod.node.as_deref(), pod.terminal), (Some("n1"), false));
    assert_eq!(pod.labels["app"], "web");
    assert_eq!(version(POD).as_deref(), Some("41"));
}

#[test]
fn phases_that_are_for_good_are_ends() {
    for (phase, terminal) in
        [("Pending", false), ("Running", false), ("Succeeded", true), ("Failed", true), ("Unknown", false)]
    {
        let raw = POD.replace("Running", phase);
        let Ok(Object::Pod(_, pod, _)) = Kind::Pods.read(&raw, None) else { panic!("a pod") };
        assert_eq!(pod.terminal, terminal, "{phase}");
    }
}

#[test]
fn the_mirror_of_a_static_pod_has_the_uid_that_its_node_knows_it_by() {
    const HASH: &str = "0123456789abcdef0123456789ABCDEF";
    let read = |annotations: &str| {
        let raw = POD
            .replace(r#""resourceVersion""#, &format!(r#""annotations": {annotations}, "resourceVersion""#));
        let object = Kind::Pods.read(&raw, None).unwrap();
        let Object::Pod(_, pod, _) = &object else { panic!("a pod: {raw}") };
        (object.key().to_owned(), pod.uid.clone())
    };
    let (hash, mirror) =
        (format!(r#""kubernetes.io/config.hash": "{HASH}""#), r#""kubernetes.io/config.mirror": "x""#);
    let own = ("u1".to_owned(), "u1".to_owned());
    let node_s = ("u1".to_owned(), HASH.to_ascii_lowercase());
    assert_eq!(read(&format!("{{{hash}, {mirror}}}")), node_s);
    for other in [format!("{{{hash}}}"), format!("{{{mirror}}}"), "null".to_owned()] {
        assert_eq!(read(&other), own, "{other}");
    }
    let named = format!(r#"{{"kubernetes.io/config.hash": "../{}", {mirror}}}"#, &HASH[3..]);
    assert_eq!(read(&named), own, "no digest");
}

#[test]
fn a_node_is_as_its_ready_condition_says() {
    let node = |conditions: &str| {
        let raw = format!(r#"{{"metadata": {{"name": "n1"}}, "status": {{{conditions}}}}}"#);
        let Ok(Object::Node(node)) = Kind::Nodes.read(&raw, None) else { panic!("a node") };
        node.status
    };
    let ready = |status: &str| {
        node(&format!(
            r#""conditions": [{{"type": "DiskPressure", "status": "True"}}, {{"type": "Ready", "status": "{status}"}}]"#
        ))
    };
    assert_eq!(ready("True"), NodeHealth::Ready);
    assert_eq!(ready("False"), NodeHealth::NotReady);
    assert_eq!(ready("Unknown"), NodeHealth::NotReady);
    assert_eq!(node(""), NodeHealth::Unknown);
}

#[test]
fn what_makes_no_sense_is_known_by_its_key_if_it_has_one() {
    let unclear = |raw: &str| Kind::Pods.read(raw, None).unwrap_err().key;
    assert_eq!(unclear(&POD.replace(r#""shop""#, "7")), Some("u1".to_owned()));
    assert_eq!(unclear(&POD.replace("shop", "Not A Namespace")), Some("u1".to_owned()));
    assert_eq!(unclear(&POD.replace(r#""web""#, r#""two words""#)), Some("u1".to_owned()));
    assert_eq!(unclear(&POD.replace(r#""u1""#, "[]")), None);
    assert_eq!(unclear("[]"), None);
    let node =
        Kind::Nodes.read(r#"{"metadata": {"name": "n1", "uid": "u"}, "status": 7}"#, None).unwrap_err();
    assert_eq!(node.key.as_deref(), Some("n1"));
}
