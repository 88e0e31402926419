//! Sessions over the wire: refreshing, logging out, and that whatever revokes tokens has done so for every route when it
//! is acknowledged.

use gthulhu_http::keys::PrivateKey;
use gthulhu_http::route::Route;
use gthulhu_http::testkit::{Exchange, TestClient};
use gthulhu_manager::api::{self, App};
use gthulhu_manager::keyring::UserKeys;
use serde_json::{Value, json};

use crate::people::{ALICE, FRANK, PASSWORD};
use crate::rig::{KEYS, Rig, golden};

const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";
const LOGOUT: &str = "/api/v1/auth/logout";
const LOGOUT_ALL: &str = "/api/v1/auth/logout-all";
const VALIDATE: &str = "/api/v1/auth/validate";

/// The access token and the refresh token of an answer.
fn pair(reply: &Exchange) -> (String, String) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let data = &reply.json::<Value>()["data"];
    let text = |name: &str| data[name].as_str().unwrap().to_owned();
    (text("accessToken"), text("refreshToken"))
}

async fn login(rig: &Rig, name: &str) -> (String, String) {
    pair(&rig.stranger().post(LOGIN, &json!({"username": name, "password": PASSWORD})).await)
}

fn body(token: &str) -> Value {
    json!({"refreshToken": token})
}

#[tokio::test]
async fn refreshing_and_logging_out() {
    let rig = Rig::start();
    let stranger = rig.stranger();
    let (_, first) = login(&rig, "alice@example.com").await;
    let refreshed = stranger.post(REFRESH, &body(&first)).await;
    golden("refresh", &refreshed);
    golden("refresh-reused", &stranger.post(REFRESH, &body(&first)).await);
    let (_, second) = pair(&refreshed);
    golden("refresh-of-an-ended-session", &stranger.post(REFRESH, &body(&second)).await);
    for (name, sent) in [
        ("refresh-empty", json!({"refreshToken": ""})),
        ("refresh-null", json!({"refreshToken": null})),
        ("refresh-wrong-type", json!({"refreshToken": 1})),
        ("refresh-garbage", body("garbage")),
        ("refresh-access-token", body(&login(&rig, "alice@example.com").await.0)),
    ] {
        golden(name, &stranger.post(REFRESH, &sent).await);
        assert_eq!(stranger.post(LOGOUT, &sent).await.status, stranger.post(REFRESH, &sent).await.status);
    }
    golden("refresh-no-body", &stranger.send("POST", REFRESH, None).await);
    let (access, refresh) = login(&rig, "alice@example.com").await;
    golden("refresh-token-as-access", &stranger.bearer(&refresh).get(VALIDATE).await);
    golden("validate", &stranger.bearer(&access).get(VALIDATE).await);
    golden("logout", &stranger.post(LOGOUT, &body(&refresh)).await);
    golden("logout-again", &stranger.post(LOGOUT, &body(&refresh)).await);
    golden("validate-logged-out", &stranger.bearer(&access).get(VALIDATE).await);
    golden("validate-must-change", &rig.user(FRANK).get(VALIDATE).await);
    golden("logout-all", &rig.user(ALICE).send("POST", LOGOUT_ALL, None).await);
    golden("logout-all-no-token", &stranger.send("POST", LOGOUT_ALL, None).await);
}

#[tokio::test]
async fn the_keys_are_published_while_they_are_good() {
    let rig = Rig::start();
    let published = async || {
        let reply = rig.stranger().get("/.well-known/jwks.json").await;
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let set = serde_json::from_str::<Value>(reply.text()).unwrap();
        let kids = set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
        kids.collect::<Vec<_>>()
    };
    let old = KEYS.user.signing.public().clone();
    let (access, _) = login(&rig, "alice@example.com").await;
    assert_eq!(published().await, [old.kid()]);
    let signing = PrivateKey::generate().unwrap();
    let tokens = &rig.app().tokens;
    tokens.replace(&UserKeys { signing: signing.clone(), retiring: Some(old.clone()) });
    assert_eq!(published().await, [signing.public().kid(), old.kid()]);
    let (newer, _) = login(&rig, "alice@example.com").await;
    for token in [&access, &newer] {
        assert_eq!(rig.stranger().bearer(token).get(VALIDATE).await.status, 200, "both keys are good");
    }
    let detail = rig.stranger().get("/readyz?verbose").await.text().to_owned();
    assert!(
        detail.contains(&format!("[+] keys: {} signs, {} is good", signing.public().kid(), old.kid())),
        "{detail}"
    );
    tokens.replace(&UserKeys { signing: signing.clone(), retiring: None });
    assert_eq!(published().await, [signing.public().kid()]);
    assert_eq!(rig.stranger().bearer(&access).get(VALIDATE).await.status, 401);
    assert_eq!(rig.stranger().bearer(&newer).get(VALIDATE).await.status, 200);
}

/// What a user holds who logged in twice and refreshed the first time.
struct Held {
    id: String,
    /// Of the first session: from the login, and from the refresh.
    first: [String; 2],
    second: String,
    /// The refresh token of the first session that was used, and the one that is good.
    used: String,
    good: String,
    /// That of the second session.
    other: String,
}

async fn hold(rig: &Rig, name: &str) -> Held {
    // Everything but the right to change what he may do is his.
    let permissions = rig.user(ALICE).get("/api/v1/permissions").await.json::<Value>();
    let keys = permissions["data"]["permissions"].as_array().unwrap().iter();
    let policies: Vec<_> = keys.map(|permission| json!({"permissionKey": permission["key"]})).collect();
    let (id, _) = rig.hire(name, &json!(policies)).await;
    let (access, used) = login(rig, name).await;
    let (refreshed, good) = pair(&rig.stranger().post(REFRESH, &body(&used)).await);
    let (second, other) = login(rig, name).await;
    Held { id, first: [access, refreshed], second, used, good, other }
}

/// The answers of every route that is not open to everybody, except of `spared`.
async fn everywhere(rig: &Rig, token: &str, spared: &str) -> Vec<(String, u16)> {
    let client: TestClient = rig.stranger().bearer(token);
    let mut answers = Vec::new();
    let closed = |route: &Route<App>| route.policy() != "public" && route.path() != spared;
    for route in api::routes().into_iter().filter(closed) {
        let path = route.path().replace("{nodeID}", "node-1");
        // A body that nobody takes, so that nothing is changed where the token still opens.
        let reply = client.send(route.method().as_str(), &path, Some(b"{")).await;
        answers.push((format!("{} {path}", route.method()), reply.status));
    }
    assert!(answers.len() >= 20, "{answers:?}");
    answers
}

async fn refused_everywhere(event: &str, rig: &Rig, token: &str) {
    let admitted: Vec<_> =
        everywhere(rig, token, "").await.into_iter().filter(|(_, status)| *status != 401).collect();
    assert!(admitted.is_empty(), "after {event}: {admitted:?}");
}

/// The nine events, and whether each ends the second session too.
const EVENTS: [(&str, bool); 9] = [
    ("logout", false),
    ("reuse of a refresh token", false),
    ("logout of all", true),
    ("own password", true),
    ("password reset", true),
    ("deactivation", true),
    ("other roles", true),
    ("other policies of a role", true),
    ("retirement of the key", true),
];

async fn happen(event: &str, rig: &Rig, held: &Held) {
    let (alice, id) = (rig.user(ALICE), &held.id);
    let own = rig.stranger().bearer(&held.second);
    let reply = match event {
        "logout" => rig.stranger().post(LOGOUT, &body(&held.good)).await,
        "reuse of a refresh token" => {
            assert_eq!(rig.stranger().post(REFRESH, &body(&held.used)).await.status, 401);
            return;
        }
        "logout of all" => own.send("POST", LOGOUT_ALL, None).await,
        "own password" => {
            let change = json!({"oldPassword": PASSWORD, "newPassword": "a much better passphrase"});
            own.put("/api/v1/users/self/password", &change).await
        }
        "password reset" => {
            let reset = json!({"userID": id, "newPassword": "a much better passphrase"});
            alice.put("/api/v1/users/password", &reset).await
        }
        "deactivation" => alice.put("/api/v1/users/permissions", &json!({"userID": id, "status": 2})).await,
        "other roles" => {
            alice.put("/api/v1/users/permissions", &json!({"userID": id, "roles": ["prod-admin"]})).await
        }
        "other policies of a role" => {
            let roles = alice.get("/api/v1/roles").await.json::<Value>();
            let mut roles = roles["data"]["roles"].as_array().unwrap().iter();
            let role = roles.find(|role| role["name"].as_str().unwrap().starts_with("role of ")).unwrap();
            let change = json!({"id": role["id"], "rolePolicy": [{"permissionKey": "user.read"}]});
            alice.put("/api/v1/roles", &change).await
        }
        "retirement of the key" => {
            let signing = PrivateKey::generate().unwrap();
            rig.app().tokens.replace(&UserKeys { signing, retiring: None });
            return;
        }
        other => unreachable!("{other} is no event"),
    };
    assert_eq!(reply.status, 200, "{event}: {}", reply.text());
}

#[tokio::test]
async fn whatever_revokes_tokens_has_done_so_everywhere_when_it_is_acknowledged() {
    for (event, both) in EVENTS {
        let rig = Rig::start();
        let held = hold(&rig, "sam").await;
        for token in held.first.iter().chain([&held.second]) {
            // It takes no body, and is one of the events.
            let open = everywhere(&rig, token, LOGOUT_ALL).await;
            assert!(
                open.iter().all(|(_, status)| *status != 401 && *status != 403),
                "before {event}: {open:?}"
            );
        }
        happen(event, &rig, &held).await;
        for token in &held.first {
            refused_everywhere(event, &rig, token).await;
        }
        let again = rig.stranger().post(REFRESH, &body(&held.good)).await.status;
        // The session outlives the key: who holds it gets a token of the new one.
        assert_eq!(again, if event == "retirement of the key" { 200 } else { 401 }, "{event}");
        if both {
            refused_everywhere(event, &rig, &held.second).await;
        } else {
            let other = rig.stranger().bearer(&held.second).get(VALIDATE).await.status;
            assert_eq!(other, 200, "{event} is no matter of the other session");
            assert_eq!(rig.stranger().post(REFRESH, &body(&held.other)).await.status, 200);
        }
    }
}
