//! Bodies that no client of ours sends: each is refused, and nothing changes.

use gthulhu_dm::api::INTENTS_BODY_MAX;
use serde_json::json;

use crate::{
    rig::{Rig, golden, numbered, pids},
    tree::ProcTree,
};

const INTENTS: &str = "/api/v1/intents";
const PREVIEW: &str = "/api/v1/preview";

/// The routes that read a body, and a body that each takes.
const READERS: [(&str, &str, &str); 5] = [
    ("POST", INTENTS, r#"{"intents":[]}"#),
    ("POST", PREVIEW, r#"{"intents":[]}"#),
    ("DELETE", INTENTS, r#"{"all":true}"#),
    ("POST", "/api/v1/metrics", r#"{"nr_queued":1}"#),
    ("POST", "/api/v1/auth/token", r#"{"public_key":"x"}"#),
];

fn nested(depth: usize) -> Vec<u8> {
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    format!("{{\"x\":{open}{close}}}").into_bytes()
}

#[tokio::test]
async fn what_is_not_one_json_value_is_refused_by_every_route() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    assert_eq!(client.post(INTENTS, &numbered(3, 7)).await.status, 200);
    let before = client.get("/api/v1/intents/merkle").await.data();
    for (method, path, good) in READERS {
        let trailing = [good.as_bytes(), b"x"].concat();
        let twice = [good.as_bytes(), good.as_bytes()].concat();
        let duplicate = [&good.as_bytes()[..good.len() - 1], b",", &good.as_bytes()[1..]].concat();
        let cut = good.as_bytes()[..good.len() - 1].to_vec();
        for (what, body) in [
            ("nothing", Vec::new()),
            ("no JSON", b"intents".to_vec()),
            ("cut short", cut),
            ("trailing bytes", trailing),
            ("two values", twice),
            ("a duplicate key", duplicate),
            ("too deep", nested(40)),
            ("far too deep", nested(100_000)),
            ("bad UTF-8", b"{\"x\":\"\xff\"}".to_vec()),
            ("a lone surrogate", br#"{"x":"\ud800"}"#.to_vec()),
            ("a number that is none", br#"{"x":1e400}"#.to_vec()),
            ("a text", b"\"x\"".to_vec()),
            ("a list", b"[]".to_vec()),
            ("a list of its fields", b"[[]]".to_vec()),
            ("NUL", b"\0".to_vec()),
        ] {
            let refused = client.send(method, path, Some(&body)).await;
            assert_eq!(refused.status, 400, "{method} {path}: {what}: {}", refused.text());
            assert_eq!(refused.error(), "Invalid request payload", "{method} {path}: {what}");
        }
    }
    assert_eq!(client.get("/api/v1/intents/merkle").await.data(), before);
}

#[tokio::test]
async fn wrong_types_are_refused_and_what_is_only_odd_is_not() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    // A preview judges a body as the push does.
    let push = async |body: &str| {
        let previewed = client.send("POST", PREVIEW, Some(body.as_bytes())).await.status;
        let pushed = client.send("POST", INTENTS, Some(body.as_bytes())).await.status;
        assert_eq!(previewed, pushed, "{body}");
        pushed
    };
    for body in [
        r#"{"intents":{}}"#,
        r#"{"intents":[1]}"#,
        r#"{"intents":[[]]}"#,
        r#"{"intents":[["u"]]}"#,
        r#"{"intents":[{"podID":1}]}"#,
        r#"{"intents":[{"podID":"u","priority":"1"}]}"#,
        r#"{"intents":[{"podID":"u","priority":1.5}]}"#,
        r#"{"intents":[{"podID":"u","priority":1e300}]}"#,
        r#"{"intents":[{"podID":"u","priority":9223372036854775808}]}"#,
        r#"{"intents":[{"podID":"u","priority":true}]}"#,
        r#"{"intents":[{"podID":"u","podLabels":["a"]}]}"#,
        r#"{"intents":[{"podID":"u","podLabels":{"a":1}}]}"#,
        r#"{"intents":[],"epoch":-1,"generation":1}"#,
        r#"{"intents":[],"epoch":1.5,"generation":1}"#,
        r#"{"intents":[],"epoch":"1","generation":"1"}"#,
        r#"{"intents":[],"epoch":18446744073709551616,"generation":1}"#,
        r#"{"intents":[],"epoch":9007199254740992,"generation":1}"#,
        r#"{"intents":[],"generation":1}"#,
    ] {
        assert_eq!(push(body).await, 400, "{body}");
    }
    for body in [
        "null",
        "{}",
        r#"{"intents":null,"epoch":null,"generation":null}"#,
        r#"{"intents":[{"podID":"u","priority":null,"podLabels":null,"unknown":{"x":[]}}],"more":1}"#,
        r#"{"intents":[{"podId":"u","nodeId":"n"}]}"#,
        r#"{"intents":[],"epoch":9007199254740991,"generation":9007199254740991}"#,
    ] {
        assert_eq!(push(body).await, 200, "{body}");
    }
}

#[tokio::test]
async fn bodies_have_a_size() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    let padded = |length: usize| {
        let mut body = b"{\"intents\":[]}".to_vec();
        body.resize(length, b' ');
        body
    };
    for path in [INTENTS, PREVIEW] {
        let largest = client.send("POST", path, Some(&padded(INTENTS_BODY_MAX))).await;
        assert_eq!(largest.status, 200, "{path}");
    }
    for (method, path, length) in [
        ("POST", INTENTS, INTENTS_BODY_MAX + 1),
        ("POST", PREVIEW, INTENTS_BODY_MAX + 1),
        ("DELETE", INTENTS, (256 << 10) + 1),
        ("POST", "/api/v1/metrics", (256 << 10) + 1),
        ("POST", "/api/v1/auth/token", (256 << 10) + 1),
    ] {
        let refused = client.send(method, path, Some(&padded(length))).await;
        assert_eq!(refused.status, 413, "{method} {path}");
        golden().replace(&(length - 1).to_string(), "LIMIT").check("body_too_large", &refused);
    }
}

/// A regex that would take for ever in a backtracking engine, and one that would compile to gigabytes.
#[tokio::test]
async fn regexes_cannot_be_bombs() {
    let rig = Rig::start(ProcTree::busy());
    let client = rig.client();
    let with = |regex: String| json!({"intents": [{"podID": crate::tree::WEB, "commandRegex": regex}]});
    assert_eq!(client.post(INTENTS, &with("(a|a)*b|nginx".to_owned())).await.status, 200);
    assert_eq!(pids(&client).await, [42, 50, 43, 44]);
    for bomb in ["(x{999}){999}".to_owned(), "x".repeat(513)] {
        for path in [PREVIEW, INTENTS] {
            assert_eq!(client.post(path, &with(bomb.clone())).await.status, 422, "{path}");
        }
    }
    assert_eq!(pids(&client).await, [42, 50, 43, 44], "nothing has changed");
}
