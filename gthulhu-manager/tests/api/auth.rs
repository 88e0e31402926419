//! Logging in, tokens of every sort, and what a user does with himself.

use gthulhu_http::keys::PrivateKey;
use gthulhu_http::testkit::TestClient;
use gthulhu_http::time::unix_now;
use gthulhu_http::tokens::Signer;
use serde_json::{Value, json};

use crate::people::{ALICE, CAROL, ERIN, FRANK, NOBODY, PASSWORD};
use crate::rig::{Rig, claims, golden, token};

const LOGIN: &str = "/api/v1/auth/login";
const SELF: &str = "/api/v1/users/self";
const OWN_PASSWORD: &str = "/api/v1/users/self/password";

#[tokio::test]
async fn login() {
    let rig = Rig::start();
    let stranger = rig.stranger();
    let alice = "alice@example.com";
    for (name, body) in [
        ("login", json!({"username": alice, "password": PASSWORD})),
        ("login-unknown-user", json!({"username": "nobody@example.com", "password": PASSWORD})),
        ("login-wrong-password", json!({"username": alice, "password": "another password"})),
        ("login-inactive", json!({"username": "erin@example.com", "password": PASSWORD})),
        ("login-no-password", json!({"username": alice})),
        ("login-no-username", json!({"username": null, "password": PASSWORD})),
        ("login-wrong-type", json!({"username": 1, "password": PASSWORD})),
    ] {
        golden(name, &stranger.post(LOGIN, &body).await);
    }
    golden("login-no-body", &stranger.send("POST", LOGIN, None).await);
    golden("login-not-json", &stranger.send("POST", LOGIN, Some(b"username=alice")).await);
}

#[tokio::test]
async fn a_token_of_a_login_opens_the_door_and_says_both_names() {
    let rig = Rig::start();
    let body = json!({"username": "alice@example.com", "password": PASSWORD});
    let reply = rig.stranger().post(LOGIN, &body).await.json::<Value>();
    assert_eq!(reply["data"]["token"], reply["data"]["accessToken"]);
    let alice = rig.stranger().bearer(reply["data"]["token"].as_str().unwrap());
    assert_eq!(alice.get(SELF).await.status, 200);
}

#[tokio::test]
async fn more_logins_than_turns_to_hash_are_sent_away() {
    let rig = Rig::start();
    let client = rig.stranger();
    let logins: Vec<_> = (0..120)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                client.post(LOGIN, &json!({"username": format!("x{n}"), "password": "y"})).await
            })
        })
        .collect();
    let mut refused = None;
    for login in logins {
        let reply = login.await.unwrap();
        assert!([401, 429].contains(&reply.status), "{}", reply.text());
        refused = refused.or((reply.status == 429).then_some(reply));
    }
    golden("login-busy", &refused.expect("120 logins at once are too many"));
}

#[tokio::test]
async fn every_credential_that_is_none() {
    let rig = Rig::start();
    let stranger = rig.stranger();
    let with = |change: &[(&str, Value)]| {
        let mut claims = claims(ALICE);
        for (name, value) in change {
            claims[name] = value.clone();
        }
        token(&claims)
    };
    let (now, hour) = (unix_now(), 3600);
    let valid = with(&[]);
    let foreign = Signer::named(&PrivateKey::generate().unwrap()).sign(&claims(ALICE)).unwrap();
    let (head, rest) = valid.split_at(valid.len() - 6);
    let tampered = format!("{head}{}", if rest == "AAAAAA" { "BBBBBB" } else { "AAAAAA" });
    let unsigned = |algorithm: &str| {
        // {"typ":"JWT","alg":"none"} and {"typ":"JWT","alg":"HS256"}, then the valid claims and signature.
        let header = match algorithm {
            "none" => "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0",
            _ => "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9",
        };
        format!("{header}.{}", valid.split_once('.').unwrap().1)
    };
    let authorization = |text: &str| stranger.header("Authorization", text);
    let cases: Vec<(&str, TestClient)> = vec![
        ("auth-missing", stranger.clone()),
        ("auth-empty", authorization("")),
        ("auth-wrong-scheme", authorization("Basic YTpi")),
        ("auth-lower-case", authorization(&format!("bearer {valid}"))),
        ("auth-no-token", authorization("Bearer ")),
        ("auth-garbage", stranger.bearer("garbage")),
        ("auth-tampered", stranger.bearer(&tampered)),
        ("auth-foreign-key", stranger.bearer(&foreign)),
        ("auth-alg-none", stranger.bearer(&unsigned("none"))),
        ("auth-alg-hs256", stranger.bearer(&unsigned("HS256"))),
        (
            "auth-expired",
            stranger.bearer(&with(&[("exp", json!(now - hour)), ("nbf", json!(now - 2 * hour))])),
        ),
        ("auth-not-yet", stranger.bearer(&with(&[("nbf", json!(now + hour))]))),
        ("auth-string-exp", stranger.bearer(&with(&[("exp", json!((now + hour).to_string()))]))),
        ("auth-other-issuer", stranger.bearer(&with(&[("iss", json!("decision-maker-service"))]))),
        ("auth-token-type", stranger.bearer(&with(&[("tokenType", json!("refresh"))]))),
        ("auth-revoked", stranger.bearer(&with(&[("tokenVersion", json!(7))]))),
        ("auth-bad-uid", stranger.bearer(&with(&[("uid", json!("x")), ("sub", json!("x"))]))),
        ("auth-unknown-user", rig.user(NOBODY)),
        ("auth-inactive-user", rig.user(ERIN)),
        ("auth-must-change", rig.user(FRANK)),
        ("auth-denied", rig.user(CAROL)),
    ];
    for (name, client) in cases {
        golden(name, &client.get("/api/v1/strategies/self").await);
    }
}

#[tokio::test]
async fn oneself() {
    let rig = Rig::start();
    golden("self", &rig.user(ALICE).get(SELF).await);
    golden("self-without-roles", &rig.user(CAROL).get(SELF).await);
    golden("self-must-change", &rig.user(FRANK).get(SELF).await);
    golden("self-missing-token", &rig.stranger().get(SELF).await);
}

#[tokio::test]
async fn own_password() {
    let rig = Rig::start();
    let frank = rig.user(FRANK);
    let change = |old: &str, new: &str| json!({"oldPassword": old, "newPassword": new});
    for (name, body) in [
        ("password-wrong", change("another password", "a much better passphrase")),
        ("password-short", change(PASSWORD, "too short")),
        ("password-with-username", change(PASSWORD, "frank@example.com is me")),
        ("password-unchanged", change(PASSWORD, PASSWORD)),
        ("password-published", change(PASSWORD, "your-password-here")),
        ("password-wrong-type", json!({"oldPassword": [], "newPassword": {}})),
        ("password-changed", change(PASSWORD, "a much better passphrase")),
        ("password-old-token", change("a much better passphrase", "an even better passphrase")),
    ] {
        golden(name, &frank.put(OWN_PASSWORD, &body).await);
    }
    let login = |password: &str| json!({"username": "frank@example.com", "password": password});
    assert_eq!(rig.stranger().post(LOGIN, &login(PASSWORD)).await.status, 401);
    assert_eq!(rig.stranger().post(LOGIN, &login("a much better passphrase")).await.status, 200);
}
