//! Every field of every body with every wrong type: refused alike, before anything else is looked at.

use std::collections::{BTreeMap, BTreeSet};

use gthulhu_manager::api;
use serde_json::{Value, json};

use crate::people::{ALICE, NOBODY};
use crate::rig::Rig;

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    Texts,
    Flag,
    /// A number from -128 to 127.
    Byte,
    /// A number of 64 bits.
    Number,
    Objects,
}

/// A route's method and path, a body that can be read, and its fields with their kinds; a field inside a list of objects
/// is named with a slash.
type Body = (&'static str, &'static str, Value, &'static [(&'static str, Kind)]);

/// Routes that read no body.
const WITHOUT: &[(&str, &str)] = &[("POST", "/api/v1/auth/logout-all")];

const STRATEGY: &[(&str, Kind)] = &[
    ("strategyId", Kind::Text),
    ("strategyNamespace", Kind::Text),
    ("labelSelectors", Kind::Objects),
    ("labelSelectors/key", Kind::Text),
    ("labelSelectors/value", Kind::Text),
    ("k8sNamespace", Kind::Texts),
    ("commandRegex", Kind::Text),
    ("priority", Kind::Number),
    ("executionTime", Kind::Number),
];

const POLICIES: &[(&str, Kind)] = &[
    ("rolePolicies", Kind::Objects),
    ("rolePolicies/permissionKey", Kind::Text),
    ("rolePolicies/self", Kind::Flag),
    ("rolePolicies/k8sNamespace", Kind::Text),
    ("rolePolicies/policyNamespace", Kind::Text),
    ("name", Kind::Text),
    ("description", Kind::Text),
];

const CHANGED_ROLE: &[(&str, Kind)] = &[
    ("id", Kind::Text),
    ("rolePolicy", Kind::Objects),
    ("rolePolicy/permissionKey", Kind::Text),
    ("rolePolicy/self", Kind::Flag),
    ("rolePolicy/k8sNamespace", Kind::Text),
    ("rolePolicy/policyNamespace", Kind::Text),
    ("name", Kind::Text),
    ("description", Kind::Text),
];

fn bodies() -> Vec<Body> {
    let strategy = json!({"labelSelectors": [{"key": "app", "value": "nowhere"}]});
    let refused = json!({"labelSelectors": [{"key": "app"}], "priority": 99});
    let update = json!({"strategyId": NOBODY, "labelSelectors": [{}]});
    let role = json!({"name": "", "rolePolicies": [{"permissionKey": "user.read"}]});
    let change = json!({"id": NOBODY, "rolePolicy": [{"permissionKey": "user.read"}]});
    vec![
        ("POST", "/api/v1/auth/login", json!({}), &[("username", Kind::Text), ("password", Kind::Text)]),
        ("POST", "/api/v1/auth/refresh", json!({}), &[("refreshToken", Kind::Text)]),
        ("POST", "/api/v1/auth/logout", json!({}), &[("refreshToken", Kind::Text)]),
        (
            "PUT",
            "/api/v1/users/self/password",
            json!({}),
            &[("oldPassword", Kind::Text), ("newPassword", Kind::Text)],
        ),
        ("POST", "/api/v1/users", json!({}), &[("username", Kind::Text), ("password", Kind::Text)]),
        (
            "PUT",
            "/api/v1/users/password",
            json!({"userID": NOBODY}),
            &[("userID", Kind::Text), ("newPassword", Kind::Text)],
        ),
        (
            "PUT",
            "/api/v1/users/permissions",
            json!({"userID": NOBODY}),
            &[("userID", Kind::Text), ("roles", Kind::Texts), ("status", Kind::Byte)],
        ),
        ("POST", "/api/v1/roles", role, POLICIES),
        ("PUT", "/api/v1/roles", change, CHANGED_ROLE),
        ("DELETE", "/api/v1/roles", json!({}), &[("id", Kind::Text)]),
        ("POST", "/api/v1/strategies", strategy, STRATEGY),
        ("POST", "/api/v1/strategies/preview", refused, STRATEGY),
        ("PUT", "/api/v1/strategies", update, STRATEGY),
        ("DELETE", "/api/v1/strategies", json!({}), &[("strategyId", Kind::Text)]),
        ("DELETE", "/api/v1/intents", json!({}), &[("intentIds", Kind::Texts)]),
    ]
}

/// Values that a field of this kind does not take.
fn wrong(kind: Kind) -> Vec<Value> {
    let numbers = [json!(1.5), json!(-1e300), json!(18_446_744_073_709_551_615_u64)];
    let mut values = vec![json!({}), json!({"a": "b"}), json!([[]]), json!([1]), json!([null])];
    values.extend(numbers);
    let mut unless = |kinds: &[Kind], value: Value| {
        if !kinds.contains(&kind) {
            values.push(value);
        }
    };
    unless(&[Kind::Text], json!("1"));
    unless(&[Kind::Flag], json!(true));
    unless(&[Kind::Byte, Kind::Number], json!(1));
    unless(&[Kind::Texts, Kind::Objects], json!([]));
    unless(&[Kind::Texts], json!(["a"]));
    unless(&[Kind::Objects], json!([{}]));
    unless(&[Kind::Number], json!(128));
    unless(&[Kind::Number], json!(-129));
    values
}

/// The body with one field replaced.
fn replaced(body: &Value, field: &str, value: &Value) -> Value {
    let mut body = body.clone();
    match field.split_once('/') {
        Some((list, member)) => body[list][0][member] = value.clone(),
        None => body[field] = value.clone(),
    }
    body
}

#[tokio::test]
async fn a_field_of_another_type_is_refused_and_null_is_absent() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let mut refused = 0;
    for (method, path, body, fields) in bodies() {
        let ask = async |body: &Value| alice.json(method, path, body).await;
        let as_it_is = ask(&body).await;
        assert_ne!(as_it_is.error(), "Invalid request body", "{method} {path}");
        for (field, kind) in fields {
            for value in wrong(*kind) {
                let reply = ask(&replaced(&body, field, &value)).await;
                let said = (reply.status, reply.error());
                assert_eq!(said, (400, "Invalid request body".into()), "{method} {path}: {field} {value}");
                refused += 1;
            }
            let absent = ask(&replaced(&body, field, &Value::Null)).await;
            assert!(
                absent.status < 500 && !absent.text().contains("Invalid request body"),
                "{method} {path}: {field}"
            );
        }
        for whole in ["[]", "1", "\"x\"", "true", "[{}]", "{", "", "{}{}"] {
            let reply = alice.send(method, path, Some(whole.as_bytes())).await;
            assert_eq!(
                (reply.status, reply.error()),
                (400, "Invalid request body".into()),
                "{method} {path}: {whole}"
            );
        }
    }
    assert!(refused > 600, "{refused}");
}

#[test]
fn no_body_is_forgotten() {
    let reading = |method: &str| matches!(method, "POST" | "PUT" | "DELETE" | "PATCH");
    let routes = api::routes();
    let expected: BTreeSet<_> = routes
        .iter()
        .map(|route| (route.method().as_str(), route.path()))
        .filter(|(method, path)| reading(method) && !WITHOUT.contains(&(method, path)))
        .collect();
    let tried: BTreeSet<_> = bodies().into_iter().map(|(method, path, ..)| (method, path)).collect();
    assert_eq!(tried, expected);
}

/// What the document says of a body is what the routes were seen to take.
#[tokio::test]
async fn the_fields_are_those_of_the_document() {
    let rig = Rig::start();
    let document: Value = serde_json::from_str(rig.stranger().get("/openapi.json").await.text()).unwrap();
    for (method, path, _, fields) in bodies() {
        let operation = &document["paths"][path][method.to_lowercase()];
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let reference = body["$ref"].as_str().or(body["allOf"][0]["$ref"].as_str()).unwrap();
        let mut described = BTreeMap::new();
        collect("", document.pointer(&reference[1..]).unwrap(), &mut described);
        let tried: BTreeMap<_, _> =
            fields.iter().map(|(name, kind)| ((*name).to_owned(), json_type(*kind))).collect();
        assert_eq!(described, tried, "{method} {path}");
    }
}

fn collect(within: &str, schema: &Value, described: &mut BTreeMap<String, String>) {
    for (name, member) in schema["properties"].as_object().unwrap() {
        let name = format!("{within}{name}");
        let kind = match &member["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| **kind != "null").unwrap().clone(),
            kind => kind.clone(),
        };
        let mut kind = kind.as_str().unwrap().to_owned();
        if kind == "array" {
            let items = &member["items"];
            kind = format!("array of {}", items["type"].as_str().unwrap());
            if items["properties"].is_object() {
                collect(&format!("{name}/"), items, described);
            }
        }
        described.insert(name, kind);
    }
}

fn json_type(kind: Kind) -> String {
    let kind = match kind {
        Kind::Text => "string",
        Kind::Texts => "array of string",
        Kind::Flag => "boolean",
        Kind::Byte | Kind::Number => "integer",
        Kind::Objects => "array of object",
    };
    kind.to_owned()
}
