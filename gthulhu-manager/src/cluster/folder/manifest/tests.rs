//! What counts as a manifest, by example.

use gthulhu_lib::intent::{Intent, Limits};
use gthulhu_lib::wire::IntentBody;

use super::*;

const FULL: &str = r#"
apiVersion: v1
kind: Pod
metadata:
  uid: 0c5a7e5e-6a3b-4c7d-9f0e-1a2b3c4d5e6f
  name: web-0
  namespace: shop
  labels: {app: web, example.com/tier: "1", empty: ""}
  annotations: {anything: goes}
spec:
  nodeName: n1
  containers: [{name: web, image: nginx, args: ["-g", 'daemon off;']}]
status:
  phase: Running
"#;

fn pod(uid: &str) -> String {
    format!("{{apiVersion: v1, kind: Pod, metadata: {{uid: {uid}, name: p}}}}")
}

fn uids(parsed: &Parsed) -> Vec<&str> {
    parsed.pods.iter().map(|pod| pod.uid.as_str()).collect()
}

#[test]
fn a_full_manifest_gives_what_intents_need() {
    let parsed = parse("pod.yaml", FULL.as_bytes()).unwrap();
    let [pod] = &parsed.pods[..] else { panic!("{parsed:?}") };
    let labels = [("app", "web"), ("empty", ""), ("example.com/tier", "1")];
    assert_eq!(
        **pod,
        Pod {
            uid: "0c5a7e5e-6a3b-4c7d-9f0e-1a2b3c4d5e6f".into(),
            name: "web-0".into(),
            namespace: "shop".into(),
            node: Some("n1".into()),
            labels: labels.map(|(key, value)| (key.into(), value.into())).into(),
            terminal: false,
        },
    );
}

#[test]
fn a_short_manifest_is_pending_in_the_default_namespace() {
    let parsed = parse("pod.yaml", pod("u").as_bytes()).unwrap();
    let [pod] = &parsed.pods[..] else { panic!("{parsed:?}") };
    assert_eq!(
        (pod.namespace.as_str(), &pod.node, pod.labels.len(), pod.terminal),
        ("default", &None, 0, false)
    );
}

#[test]
fn ended_pods_are_terminal() {
    for (phase, terminal) in [("Pending", false), ("Unknown", false), ("Succeeded", true), ("Failed", true)] {
        let text = pod("u").replace("metadata:", &format!("status: {{phase: {phase}}}, metadata:"));
        assert_eq!(parse("pod.yml", text.as_bytes()).unwrap().pods[0].terminal, terminal, "{phase}");
    }
}

#[test]
fn documents_lists_and_json_all_hold_pods() {
    let (a, b) = (pod("a"), pod("b"));
    let json =
        |uid: &str| format!(r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"uid":"{uid}","name":"p"}}}}"#);
    let cases = [
        ("documents.yaml", format!("---\n{a}\n---\n{b}\n")),
        ("list.yaml", format!("apiVersion: v1\nkind: List\nitems:\n- {a}\n- {b}\n")),
        (
            "podlist.yaml",
            "apiVersion: v1\nkind: PodList\nitems: [{metadata: {uid: a, name: p}}, {metadata: {uid: b, name: p}}]".into(),
        ),
        ("pods.json", format!("{}\n{}", json("a"), json("b"))),
        ("list.json", format!(r#"{{"apiVersion":"v1","kind":"List","items":[{},{}]}}"#, json("a"), json("b"))),
        ("json in.yaml", format!(r#"{{"apiVersion":"v1","kind":"List","items":[{},{}]}}"#, json("a"), json("b"))),
    ];
    for (name, text) in cases {
        let parsed = parse(name, text.as_bytes()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(uids(&parsed), ["a", "b"], "{name}");
    }
}

#[test]
fn other_kinds_are_skipped_and_counted() {
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nspec: 7\n---\n{}\n---\napiVersion: v1\nkind: Service\n---\n\
         apiVersion: v1\nkind: List\nitems: [{{apiVersion: v1, kind: Service}}]\n",
        pod("a"),
    );
    let parsed = parse("mixed.yaml", text.as_bytes()).unwrap();
    assert_eq!(uids(&parsed), ["a"]);
    assert_eq!(parsed.skipped_note().unwrap(), "1 Deployment, 2 Service");
}

#[test]
fn a_file_with_any_fault_is_refused_as_a_whole_with_the_place() {
    let good = pod("a");
    let broken = |from: &str, to: &str| format!("{good}\n---\n{}", pod("b").replace(from, to));
    let long = "x".repeat(254);
    let cases = [
        (String::new(), "holds no object"),
        ("# only a comment\n".into(), "holds no object"),
        (format!("{good}\n---\n{good}"), "object 2: metadata.uid a is used twice"),
        (broken("kind: Pod, ", ""), "object 2: kind must be given"),
        (broken("v1", "v2"), "object 2: apiVersion of a Pod must be v1"),
        (broken("apiVersion: v1, ", ""), "object 2: apiVersion of a Pod must be v1"),
        (broken("uid: b, ", ""), "object 2: missing field `uid`"),
        (broken("name: p", "name: \"\""), "object 2: metadata.name must be 1 to 253 bytes"),
        (broken("uid: b", "uid: \"b\\n\""), "object 2: metadata.uid must be 1 to 253 bytes"),
        (broken("uid: b", &format!("uid: {long}")), "object 2: metadata.uid must be 1 to 253 bytes"),
        (broken("name: p", "name: p, namespace: No_Good"), "object 2: metadata.namespace must be"),
        (broken("name: p", "name: p, labels: {a b: c}"), "object 2: metadata.labels must"),
        (broken("name: p", "name: p, labels: {a: [c]}"), "object 2: invalid type"),
        (broken("name: p", "name: p, name: q"), "duplicate"),
        ("apiVersion: v1\nkind: List\n".into(), "object 1: items must be a list"),
        (
            "apiVersion: v1\nkind: List\nitems: [{kind: List}]".into(),
            "object 1: items[0]: a list must not hold lists",
        ),
        ("- just\n- a list\n".into(), "object 1: must be a mapping"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {uid: u, na".into(), ""),
    ];
    for (text, fault) in cases {
        let error = parse("pods.yaml", text.as_bytes()).expect_err(&text);
        assert!(error.contains(fault), "{text}\ngave: {error}");
    }
    assert!(parse("pods.json", br#"{"apiVersion":"v1","kind":"Pod","#).is_err());
    assert!(parse("pods.yaml", b"\xff\xfe").is_err());
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let previous = format!("*a{}, ", level - 1).repeat(9);
        text.extend([format!("a{level}: &a{level} [{previous}]\n")]);
    }
    assert!(parse("bomb.yaml", text.as_bytes()).is_err());
    let deep = "[".repeat(100_000);
    assert!(parse("deep.yaml", deep.as_bytes()).is_err());
    assert!(parse("deep.json", deep.as_bytes()).is_err());
}

#[test]
fn faults_do_not_quote_the_file() {
    let text = "apiVersion: v1\nkind: Secret\nstringData: {password: hunter2\n";
    let fault = parse("secret.yaml", text.as_bytes()).unwrap_err();
    assert!(!fault.contains("hunter2"), "{fault}");
}

#[test]
fn every_pod_that_is_taken_makes_good_intents() {
    let parsed = parse("pod.yaml", FULL.as_bytes()).unwrap();
    let pod = &parsed.pods[0];
    let body = IntentBody {
        pod_id: pod.uid.clone(),
        pod_name: pod.name.clone(),
        node_id: pod.node.clone().unwrap_or_default(),
        k8s_namespace: pod.namespace.clone(),
        pod_labels: pod.labels.clone(),
        ..IntentBody::default()
    };
    assert!(Intent::check(body, &Limits::default()).is_ok());
}
