//! Who gets in where: every route, every method, every state that a credential can be in, every permission.
//!
//! The two tables are written from the table of routes. What refuses, and with which status, follows from a route's
//! policy by the rules below, and each call is held against them; what an admitted call comes to is in the files
//! `tests/golden/access.txt` and `tests/golden/permissions.txt`. Calls that read a body get one that cannot be read, so
//! that nothing is changed.

mod credentials;
mod holders;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gthulhu_http::testkit::TestClient;
use gthulhu_manager::api;
use gthulhu_manager::domain::Permission;

use crate::rig::{Rig, golden_text};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What anybody may call below /api: this is how people and programs come to a token, and give one back.
const OPEN: [&str; 3] = ["/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/logout"];

/// One row of the table of routes.
struct Row {
    method: String,
    path: &'static str,
    policy: String,
}

fn rows() -> Vec<Row> {
    let row = |route: &gthulhu_http::route::Route<api::App>| Row {
        method: route.method().to_string(),
        path: route.path(),
        policy: route.policy().to_owned(),
    };
    api::routes().iter().map(row).collect()
}

/// A path that the route answers: a node that is there, and anything for any other parameter.
fn target(path: &str) -> String {
    path.replace("{nodeID}", "node-1").replace(['{', '}', '*'], "")
}

/// What is called, whatever the method: nothing that can be read.
async fn call(client: &TestClient, method: &str, path: &str) -> u16 {
    let body: Option<&[u8]> = (!matches!(method, "GET" | "HEAD" | "OPTIONS")).then_some(b"{");
    client.send(method, &target(path), body).await.status
}

/// The status of a call that no route answers: below /api there are no methods, only routes.
fn unrouted(path: &str, method: &str) -> u16 {
    match (path.starts_with("/api/"), method) {
        (true, _) => 404,
        (false, "OPTIONS") => 204,
        (false, _) => 405,
    }
}

/// The refusal that a policy owes to a credential; none when the call is admitted.
fn refusal(policy: &str, credential: &str) -> Option<u16> {
    match (policy.split(' ').next().unwrap(), credential) {
        ("public", _) | ("session", "must-change") if policy != "session settled" => None,
        (_, "must-change") => Some(403),
        ("session" | "permission", _) => Some(401),
        (other, _) => panic!("nothing is known of the policy {other}"),
    }
}

#[tokio::test]
async fn access() {
    let mut rows_of: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for row in rows() {
        rows_of.entry(row.path).or_default().push(row);
    }
    let mut text = format!("# {}\n", credentials::NAMES.join(" "));
    let mut calls = 0;
    for (path, rows) in rows_of {
        let open = rows.iter().any(|row| row.policy == "public");
        assert_eq!(open, !path.starts_with("/api/") || OPEN.contains(&path), "{path}");
        // Some calls of one who must change his password end his sessions.
        let rig = Rig::start();
        let clients = credentials::all(&rig);
        for method in METHODS {
            let row = rows.iter().find(|row| row.method == method);
            let policy = row.map_or("no route", |row| &row.policy);
            write!(text, "{method} {path} [{policy}]").unwrap();
            for (credential, client) in credentials::NAMES.iter().zip(&clients) {
                let status = call(client, method, path).await;
                let owed = match row {
                    Some(row) => refusal(&row.policy, credential),
                    None => Some(unrouted(path, method)),
                };
                match owed {
                    Some(owed) => assert_eq!(status, owed, "{method} {path} {credential}"),
                    None => assert!(
                        ![401, 403, 404, 405].contains(&status),
                        "{method} {path} {credential}: {status}"
                    ),
                }
                write!(text, " {status}").unwrap();
                calls += 1;
            }
            text.push('\n');
        }
    }
    assert!(calls > 2_500, "{calls}");
    golden_text("access.txt", &text);
}

#[tokio::test]
async fn permissions() {
    let rig = Rig::start_with(holders::settle);
    let keys: Vec<_> = Permission::ALL.iter().map(|permission| permission.key()).collect();
    let mut text = format!("# nothing {}\n", keys.join(" "));
    let asking: Vec<_> = rows().into_iter().filter(|row| row.policy.starts_with("permission ")).collect();
    for Row { method, path, policy } in &asking {
        let asked = policy.strip_prefix("permission ").unwrap();
        write!(text, "{method} {path} [{asked}]").unwrap();
        for key in std::iter::once("nothing").chain(keys.iter().copied()) {
            let status = call(&holders::client(&rig, key), method, path).await;
            assert_eq!(status != 403, key == asked, "{method} {path} with {key}: {status}");
            write!(text, " {status}").unwrap();
        }
        text.push('\n');
    }
    // The permission that is asked for, confined to what is the holder's own, to a namespace of pods, of strategies.
    text.push_str("\n# self k8sNamespace policyNamespace\n");
    for Row { method, path, policy } in &asking {
        let asked: Permission = policy.strip_prefix("permission ").unwrap().parse().unwrap();
        write!(text, "{method} {path} [{asked}]").unwrap();
        let about = asked.about();
        for (how, means) in holders::CONFINED.iter().zip([about.somebody, about.pods, about.strategies]) {
            let status = call(&holders::client(&rig, &format!("{asked} {how}")), method, path).await;
            assert_eq!(status != 403, means, "{method} {path} {how}: {status}");
            write!(text, " {status}").unwrap();
        }
        text.push('\n');
    }
    let unasked = Permission::ALL.iter().filter(|p| !asking.iter().any(|row| row.policy.ends_with(p.key())));
    assert_eq!(unasked.collect::<Vec<_>>(), [&Permission::AuditRead; 0], "every permission opens something");
    golden_text("permissions.txt", &text);
}
