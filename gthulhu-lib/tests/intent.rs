//! What makes an intent valid, and what a valid one says of itself.

use gthulhu_lib::intent::{Intent, Limits, check_label_key, check_label_value, check_namespace};
use gthulhu_lib::strategy::Resolved;
use gthulhu_lib::wire::IntentBody;

const STRICT: Limits = Limits { accept_any_priority: false };
const LENIENT: Limits = Limits { accept_any_priority: true };

fn good() -> IntentBody {
    IntentBody {
        pod_name: "nginx-0".to_owned(),
        pod_id: "u1".to_owned(),
        node_id: "worker-1".to_owned(),
        k8s_namespace: "default".to_owned(),
        command_regex: "nginx|worker".to_owned(),
        priority: 10,
        execution_time: 20_000_000,
        pod_labels: [("app".to_owned(), "nginx".to_owned())].into(),
        strategy_id: Some("65F0C0FFEE0123456789ABCD".to_owned()),
    }
}

fn with(change: impl FnOnce(&mut IntentBody)) -> IntentBody {
    let mut body = good();
    change(&mut body);
    body
}

fn label(key: &str, value: &str) -> IntentBody {
    with(|body| {
        body.pod_labels.insert(key.to_owned(), value.to_owned());
    })
}

#[test]
fn a_good_intent_says_what_was_written() {
    let intent = Intent::check(good(), &STRICT).unwrap();
    assert_eq!(intent.strategy().unwrap().to_string(), "65f0c0ffee0123456789abcd");
    assert_eq!((intent.pod_uid(), intent.pod_name()), ("u1", "nginx-0"));
    assert_eq!((intent.node(), intent.namespace()), ("worker-1", "default"));
    assert_eq!(intent.command_regex(), "nginx|worker");
    assert_eq!((intent.priority(), intent.execution_time()), (10, 20_000_000));
    assert_eq!(intent.labels().len(), 1);
    let canonical_id = with(|body| body.strategy_id = Some("65f0c0ffee0123456789abcd".to_owned()));
    assert_eq!(intent.to_wire(), canonical_id);
}

#[test]
fn only_the_pod_must_be_named() {
    let bare = IntentBody { pod_id: "u1".to_owned(), ..IntentBody::default() };
    let intent = Intent::check(bare.clone(), &STRICT).unwrap();
    assert_eq!(intent.strategy(), None);
    assert_eq!(intent.to_wire(), bare);
    let empty_strategy = IntentBody { strategy_id: Some(String::new()), ..bare };
    assert_eq!(Intent::check(empty_strategy, &STRICT), Ok(intent));
}

#[test]
fn each_broken_rule_names_its_field() {
    let name = "must be at most 253 bytes without control characters";
    let namespace = "must be 1 to 63 of a-z, 0-9 and -, starting and ending with a letter or digit";
    let slice = "must be 0 or 100000 to 100000000 nanoseconds";
    let key = "must have Kubernetes label keys, such as app or example.com/app";
    let value =
        "must be empty or at most 63 letters, digits, - _ and ., starting and ending with a letter or digit";
    let cases = [
        (with(|body| body.pod_id.clear()), "podID", "must not be empty"),
        (with(|body| body.pod_id = "u\n1".to_owned()), "podID", name),
        (with(|body| body.pod_name = "p".repeat(254)), "podName", name),
        (with(|body| body.node_id = "\u{7f}".to_owned()), "nodeID", name),
        (with(|body| body.k8s_namespace = "Default".to_owned()), "k8sNamespace", namespace),
        (with(|body| body.priority = 21), "priority", "must be 0 to 20"),
        (with(|body| body.priority = -1), "priority", "must be 0 to 20"),
        (with(|body| body.priority = i64::MIN), "priority", "must be 0 to 20"),
        (with(|body| body.execution_time = 1), "executionTime", slice),
        (with(|body| body.execution_time = -100_000), "executionTime", slice),
        (with(|body| body.execution_time = 99_999), "executionTime", slice),
        (with(|body| body.execution_time = 100_000_001), "executionTime", slice),
        (with(|body| body.execution_time = i64::MAX), "executionTime", slice),
        (
            with(|body| body.command_regex = "ngi(nx".to_owned()),
            "commandRegex",
            "must be a regular expression: unclosed group",
        ),
        (with(|body| body.command_regex = "a".repeat(513)), "commandRegex", "must be at most 512 bytes"),
        (
            with(|body| body.command_regex = r"(\w{100}){100}".to_owned()),
            "commandRegex",
            "must be simpler: it compiles to more than 256 KiB",
        ),
        (label("", "x"), "podLabels", key),
        (label("-app", "x"), "podLabels", key),
        (label("app", "a b"), "podLabels.app", value),
        (
            with(|body| body.strategy_id = Some("65f0".to_owned())),
            "strategyID",
            "must be 24 hexadecimal digits",
        ),
    ];
    for (body, field, rule) in cases {
        let fault = Intent::check(body.clone(), &STRICT).expect_err(field);
        assert_eq!((fault.field.as_str(), fault.rule.as_str()), (field, rule), "{body:?}");
        assert_eq!(fault.to_string(), format!("{field} {rule}"));
    }
}

#[test]
fn the_ends_of_every_range_are_inside() {
    for (priority, execution_time) in [(0, 0), (1, 100_000), (20, 100_000_000)] {
        let body = with(|body| (body.priority, body.execution_time) = (priority, execution_time));
        let intent = Intent::check(body, &STRICT).unwrap();
        assert_eq!(intent.effective(), Resolved::clamped(priority, execution_time));
    }
    for regex in ["", &"a".repeat(512)] {
        Intent::check(with(|body| body.command_regex = regex.to_owned()), &STRICT).unwrap();
    }
}

#[test]
fn any_priority_acts_as_the_nearest_end_where_the_site_accepts_it() {
    for (written, acts) in [(21, 20), (i64::MAX, 20), (-1, 0), (i64::MIN, 0), (7, 7)] {
        let intent = Intent::check(with(|body| body.priority = written), &LENIENT).unwrap();
        assert_eq!(intent.priority(), written, "answers echo what the user wrote");
        assert_eq!(intent.effective(), Resolved::clamped(acts, 20_000_000));
        assert_eq!(i64::from(intent.effective().priority()), acts);
    }
    assert!(Intent::check(with(|body| body.execution_time = 1), &LENIENT).is_err());
}

#[test]
fn namespaces() {
    for good in ["a", "default", "kube-system", "0", &"n".repeat(63)] {
        assert_eq!(check_namespace("n", good), Ok(()), "{good:?}");
    }
    for bad in ["", "-a", "a-", "a.b", "A", "a_b", "é", &"n".repeat(64)] {
        assert!(check_namespace("n", bad).is_err(), "{bad:?}");
    }
}

#[test]
fn label_keys() {
    let longest_prefix = format!("{}/a", "p".repeat(253));
    for good in ["app", "App_1.x-y", "example.com/app", "a/b", &"k".repeat(63), &longest_prefix] {
        assert_eq!(check_label_key("k", good), Ok(()), "{good:?}");
    }
    let prefix_too_long = format!("{}/a", "p".repeat(254));
    for bad in [
        "",
        "/",
        "/app",
        "a/",
        "a/b/c",
        "Example.com/app",
        "a..b/c",
        "app_",
        ".app",
        &"k".repeat(64),
        &prefix_too_long,
    ] {
        assert!(check_label_key("k", bad).is_err(), "{bad:?}");
    }
}

#[test]
fn label_values() {
    for good in ["", "1", "v1.2_3-4", "A", &"v".repeat(63)] {
        assert_eq!(check_label_value("v", good), Ok(()), "{good:?}");
    }
    for bad in [" ", "a b", "-1", "1-", "a/b", "é", "=", &"v".repeat(64)] {
        assert!(check_label_value("v", bad).is_err(), "{bad:?}");
    }
}
