//! Listing, making and changing users, and every way in which each is refused.

use gthulhu_http::testkit::TestClient;
use serde_json::{Value, json};

use crate::people::{ALICE, BOB, CAROL, DAVE, ERIN, NOBODY, PASSWORD};
use crate::rig::{Rig, golden};

const USERS: &str = "/api/v1/users";
const RESET: &str = "/api/v1/users/password";
const CHANGE: &str = "/api/v1/users/permissions";
const NEW: &str = "a quite new password";

#[tokio::test]
async fn list() {
    let rig = Rig::start();
    golden("users", &rig.user(ALICE).get(USERS).await);
    golden("users-denied", &rig.user(CAROL).get(USERS).await);
    // There are no users in a namespace.
    golden("users-denied", &rig.user(DAVE).get(USERS).await);
    let (_, ann) = rig.hire("ann", &json!([{"permissionKey": "user.read", "self": true}])).await;
    golden("users-self", &ann.get(USERS).await);
}

#[tokio::test]
async fn lists_come_by_pages() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    for name in ["web", "db", "far"] {
        rig.create(&alice, &json!({"labelSelectors": [{"key": "app", "value": name}]})).await;
    }
    for (path, list) in [
        (USERS, "users"),
        ("/api/v1/roles", "roles"),
        ("/api/v1/strategies/self", "strategies"),
        ("/api/v1/intents/self", "intents"),
        ("/api/v1/nodes", "nodes"),
    ] {
        let rows = async |query: &str| {
            let mut data = alice.get(&format!("{path}{query}")).await.data();
            let next = data["continue"].as_str().map(str::to_owned);
            (data[list].take().as_array().unwrap().clone(), next)
        };
        let (whole, end) = rows("").await;
        assert!(whole.len() >= 2 && end.is_none(), "{path}");
        let (mut joined, mut next) = rows("?limit=1").await;
        while let Some(place) = next {
            let (page, after) = rows(&format!("?limit=1&continue={place}")).await;
            assert_eq!(page.len(), 1, "{path}");
            joined.extend(page);
            next = after;
        }
        assert_eq!(joined, whole, "{path}");
        for limit in ["0", "1001", "-1", "1.5", "x", ""] {
            golden("list-bad-limit", &alice.get(&format!("{path}?limit={limit}")).await);
        }
        golden("list-bad-continue", &alice.get(&format!("{path}?continue=x")).await);
    }
}

#[tokio::test]
async fn create() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let user = |username: &str, password: &str| json!({"username": username, "password": password});
    for (name, body) in [
        ("user-created", user("ann@example.com", PASSWORD)),
        ("user-exists", user("ann@example.com", PASSWORD)),
        ("user-no-name", json!({"password": PASSWORD})),
        ("user-control-character", user("ann\u{1b}[2J", PASSWORD)),
        ("user-password-short", user("bea", "too short")),
        ("user-password-published", user("bea", "your-password-here")),
        ("user-no-password", json!({"username": "bea"})),
        ("user-bad-body", json!([])),
    ] {
        golden(name, &alice.post(USERS, &body).await);
    }
    golden("user-bad-body", &alice.send("POST", USERS, None).await);
    golden("users-denied", &rig.user(CAROL).post(USERS, &user("bea", PASSWORD)).await);
    let login = rig.stranger().post("/api/v1/auth/login", &user("ann@example.com", PASSWORD)).await.data();
    let ann = rig.stranger().bearer(login["token"].as_str().unwrap());
    golden("user-new-must-change", &ann.get("/api/v1/nodes").await);
}

#[tokio::test]
async fn reset_password() {
    let rig = Rig::start();
    let (alice, carol) = (rig.user(ALICE), rig.user(CAROL));
    let reset = |id: &str, password: &str| json!({"userID": id, "newPassword": password});
    for (name, body) in [
        ("reset-weak", reset(CAROL, "too short")),
        ("reset-no-password", json!({"userID": CAROL})),
        ("reset-malformed-id", reset("x", NEW)),
        ("reset-malformed-id", json!({"newPassword": NEW})),
        ("reset-unknown", reset(NOBODY, NEW)),
        ("reset-bad-body", json!({"userID": 1})),
        ("reset-bad-body", json!({"userID": CAROL, "userId": CAROL})),
        ("reset", reset(CAROL, NEW)),
    ] {
        golden(name, &alice.put(RESET, &body).await);
    }
    golden("auth-revoked", &carol.get("/api/v1/strategies/self").await);
    golden("users-denied", &rig.user(DAVE).put(RESET, &reset(CAROL, NEW)).await);
    let login = |password: &str| json!({"username": "carol@example.com", "password": password});
    assert_eq!(rig.stranger().post("/api/v1/auth/login", &login(PASSWORD)).await.status, 401);
    assert_eq!(rig.stranger().post("/api/v1/auth/login", &login(NEW)).await.status, 200);
    // The other spelling.
    assert_eq!(alice.put(RESET, &json!({"userId": CAROL, "newPassword": NEW})).await.status, 200);
    // One who is inactive stays so.
    assert_eq!(alice.put(RESET, &reset(ERIN, NEW)).await.status, 200);
    golden("auth-inactive-user", &rig.user(ERIN).get("/api/v1/strategies/self").await);
}

#[tokio::test]
async fn change_roles_and_status() {
    let rig = Rig::start();
    let (alice, carol) = (rig.user(ALICE), rig.user(CAROL));
    let user = |id: &str, rest: Value| {
        let mut body = rest;
        body["userID"] = json!(id);
        body
    };
    for (name, body) in [
        ("change-unknown-role", user(CAROL, json!({"roles": ["prod-admin", "nothing"]}))),
        ("change-unknown-role", user(CAROL, json!({"roles": ["prod-admin", "prod-admin"]}))),
        ("change-bad-status", user(CAROL, json!({"status": 4}))),
        ("change-bad-status", user(CAROL, json!({"status": 0}))),
        ("change-bad-body", user(CAROL, json!({"status": 128}))),
        ("change-bad-body", user(CAROL, json!({"status": 1.5}))),
        ("change-bad-body", user(CAROL, json!({"roles": "admin"}))),
        ("change-malformed-id", user("x", json!({}))),
        ("change-unknown", user(NOBODY, json!({"status": 1}))),
        ("change", user(CAROL, json!({"roles": ["prod-admin"], "status": null}))),
    ] {
        golden(name, &alice.put(CHANGE, &body).await);
    }
    golden("auth-revoked", &carol.get("/api/v1/strategies/self").await);
    assert_eq!(alice.put(CHANGE, &user(CAROL, json!({"roles": []}))).await.status, 200);
    let listed = alice.get(USERS).await.data();
    let carol = listed["users"].as_array().unwrap().iter().find(|user| user["id"] == CAROL).unwrap();
    assert_eq!((&carol["roles"], &carol["status"]), (&Value::Null, &json!(1)));
    golden("users-denied", &rig.user(DAVE).put(CHANGE, &user(CAROL, json!({"status": 2}))).await);
}

#[tokio::test]
async fn somebody_always_administers() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    for id in [BOB, crate::people::FRANK] {
        assert_eq!(alice.put(CHANGE, &json!({"userID": id, "status": 2})).await.status, 200);
    }
    golden("change-last-admin", &alice.put(CHANGE, &json!({"userID": ALICE, "roles": []})).await);
    golden("change-last-admin", &alice.put(CHANGE, &json!({"userID": ALICE, "status": 2})).await);
    assert_eq!(alice.put(CHANGE, &json!({"userID": BOB, "status": 1})).await.status, 200);
    assert_eq!(alice.put(CHANGE, &json!({"userID": ALICE, "roles": []})).await.status, 200);
    golden("auth-revoked", &alice.get("/api/v1/strategies/self").await);
}

#[tokio::test]
async fn nobody_grants_what_he_lacks_or_acts_on_one_who_may_more() {
    let rig = Rig::start();
    let clerk =
        json!([{"permissionKey": "user.permission.update"}, {"permissionKey": "user.password.reset"}]);
    let (id, clerk) = rig.hire("clerk", &clerk).await;
    let give = async |client: &TestClient, id: &str, role: &str| {
        client.put(CHANGE, &json!({"userID": id, "roles": [role]})).await
    };
    golden("change-beyond", &give(&clerk, CAROL, "prod-admin").await);
    golden("change-admin-beyond", &give(&clerk, &id, "admin").await);
    golden("change-admin-beyond", &clerk.put(CHANGE, &json!({"userID": ALICE, "status": 2})).await);
    golden("change-admin-beyond", &clerk.put(RESET, &json!({"userID": ALICE, "newPassword": NEW})).await);
    assert_eq!(give(&clerk, CAROL, "role of clerk").await.status, 200);

    let own = json!([{"permissionKey": "user.permission.update", "self": true}, {"permissionKey": "user.password.reset", "self": true}]);
    let (id, ann) = rig.hire("ann", &own).await;
    golden("change-self-only", &give(&ann, CAROL, "role of ann").await);
    golden("change-self-only", &ann.put(RESET, &json!({"userID": CAROL, "newPassword": NEW})).await);
    golden("change-admin-beyond", &give(&ann, &id, "admin").await);
    assert_eq!(give(&ann, &id, "role of ann").await.status, 200);
}
