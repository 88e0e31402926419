//! The calls of the existing web page and of the existing command line client, as they send them, and the answers that
//! they read: one file for each, to the byte.

use gthulhu_http::testkit::{Exchange, TestClient};
use serde_json::Value;

use crate::people::ALICE;
use crate::rig::{Rig, golden_text};

/// A method, a path and a body, in which `ID` stands for the strategy that was made last.
type Call = (&'static str, &'static str, &'static str);

const LOGIN: Call =
    ("POST", "/api/v1/auth/login", r#"{"username":"alice@example.com","password":"a password for tests"}"#);

/// What the page asks for, card by card, and how many intents node-1 then holds.
const PAGE: &[(Call, usize)] = &[
    (("GET", "/health", ""), 0),
    (("GET", "/version", ""), 0),
    (("GET", "/api/v1/users/self", ""), 0),
    (("GET", "/api/v1/users", ""), 0),
    (("GET", "/api/v1/roles", ""), 0),
    (("GET", "/api/v1/permissions", ""), 0),
    (("GET", "/api/v1/strategies/self", ""), 0),
    (("GET", "/api/v1/intents/self", ""), 0),
    (
        (
            "POST",
            "/api/v1/strategies",
            r#"{"strategyNamespace":"default","labelSelectors":[{"key":"app","value":"web"}],"k8sNamespace":["default"],"commandRegex":"nginx","priority":10,"executionTime":20000000}"#,
        ),
        1,
    ),
    (("GET", "/api/v1/strategies/self", ""), 1),
    (("GET", "/api/v1/intents/self", ""), 1),
    (
        (
            "PUT",
            "/api/v1/strategies",
            r#"{"strategyId":"ID","strategyNamespace":"default","labelSelectors":[],"k8sNamespace":[],"commandRegex":"","priority":0,"executionTime":0}"#,
        ),
        2,
    ),
    (("GET", "/api/v1/strategies/self", ""), 2),
    (("GET", "/api/v1/nodes", ""), 2),
    (("GET", "/api/v1/nodes/node-1/pods/pids", ""), 2),
    (("DELETE", "/api/v1/strategies", r#"{"strategyId":"ID"}"#), 0),
    (("GET", "/api/v1/strategies/self", ""), 0),
    (("GET", "/api/v1/intents/self", ""), 0),
    // From a card that was left open: what it shows is gone.
    (("DELETE", "/api/v1/strategies", r#"{"strategyId":"ID"}"#), 0),
    (
        (
            "POST",
            "/api/v1/strategies",
            r#"{"strategyNamespace":"","labelSelectors":[{"key":"app","value":"nowhere"}],"k8sNamespace":[],"commandRegex":"","priority":0,"executionTime":0}"#,
        ),
        0,
    ),
];

/// What the client's commands ask for: strategies list, create, create from a file, delete; nodes list, pids.
const COMMANDS: &[(Call, usize)] = &[
    (("GET", "/api/v1/strategies/self", ""), 0),
    (
        (
            "POST",
            "/api/v1/strategies",
            r#"{"strategyNamespace":"default","labelSelectors":[{"key":"app","value":"db"}],"k8sNamespace":["prod"],"commandRegex":"postgres","priority":3,"executionTime":5000000}"#,
        ),
        1,
    ),
    (("GET", "/api/v1/strategies/self", ""), 1),
    (("DELETE", "/api/v1/strategies", r#"{"strategyId":"ID"}"#), 0),
    (("POST", "/api/v1/strategies", "{\n  \"strategyNamespace\": \"default\",\n  \"priority\": 5\n}"), 2),
    (("DELETE", "/api/v1/strategies", r#"{"strategyID":"ID"}"#), 0),
    (("DELETE", "/api/v1/strategies", r#"{"strategyId":""}"#), 0),
    (("GET", "/api/v1/nodes", ""), 0),
    (("GET", "/api/v1/nodes/node-1/pods/pids", ""), 0),
    (("GET", "/api/v1/nodes/nowhere/pods/pids", ""), 0),
];

/// Logs in as clients do, makes the calls, waiting each time for what a change comes to, and writes all of it down.
async fn record(rig: &Rig, calls: &[(Call, usize)]) -> (String, Vec<Exchange>) {
    let mut answers = vec![send(&rig.stranger(), LOGIN, "").await];
    let mut text = written(LOGIN.2, &answers[0]);
    let client = rig.stranger().bearer(answers[0].data()["token"].as_str().unwrap());
    let mut strategy = String::new();
    for (call, held) in calls {
        let reply = send(&client, *call, &strategy).await;
        if let Some(location) = reply.header("location") {
            location.rsplit('/').next().unwrap().clone_into(&mut strategy);
        }
        rig.until_held("node-1", *held).await;
        text.push_str(&written(call.2, &reply));
        answers.push(reply);
    }
    (text, answers)
}

async fn send(client: &TestClient, (method, path, body): Call, strategy: &str) -> Exchange {
    let body = body.replace("\"ID\"", &format!("\"{strategy}\""));
    client.send(method, path, (!body.is_empty()).then_some(body.as_bytes())).await
}

/// The request's line and body, the status and type of the answer, and its body.
fn written(body: &str, reply: &Exchange) -> String {
    let request = reply.request.trim_end_matches(" HTTP/1.1");
    let media_type = reply.header("content-type").unwrap_or_default();
    let body = if body.is_empty() { String::new() } else { format!("{body}\n") };
    format!("{request}\n{body}{} {media_type}\n{}\n", reply.status, reply.text())
}

/// Waits until every node's decision maker was asked once, so that the list of nodes is the same each time.
async fn settled(rig: &Rig) {
    for node in ["node-1", "node-refusing", "node-mumbling", "node-hanging"] {
        rig.until(node, |status| status.reachable.is_some()).await;
    }
}

#[tokio::test]
async fn the_web_page() {
    let rig = Rig::start();
    settled(&rig).await;
    golden_text("clients-page.txt", &record(&rig, PAGE).await.0);
}

#[tokio::test]
async fn the_command_line_client() {
    let rig = Rig::start();
    settled(&rig).await;
    let (text, answers) = record(&rig, COMMANDS).await;
    golden_text("clients-cli.txt", &text);
    // It can read `data` only when it is an object or absent.
    for answer in answers {
        let body: Value = answer.json();
        assert!(body.get("data").is_none_or(Value::is_object), "{}: {body}", answer.request);
    }
}

/// The page logs its user out on any 401, so nothing but the token may be answered with one.
#[tokio::test]
async fn no_refusal_of_a_valid_token_is_a_401() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let nobody = crate::people::NOBODY;
    for (method, path, body) in [
        ("PUT", "/api/v1/users/permissions", format!(r#"{{"userID":"{nobody}"}}"#)),
        (
            "PUT",
            "/api/v1/users/password",
            format!(r#"{{"userID":"{nobody}","newPassword":"a quite new password"}}"#),
        ),
        ("DELETE", "/api/v1/roles", format!(r#"{{"id":"{nobody}"}}"#)),
        ("DELETE", "/api/v1/strategies", format!(r#"{{"strategyId":"{nobody}"}}"#)),
        ("DELETE", "/api/v1/intents", format!(r#"{{"intentIds":["{nobody}"]}}"#)),
    ] {
        assert_eq!(alice.send(method, path, Some(body.as_bytes())).await.status, 404, "{method} {path}");
    }
}
