//! A client against a real socket: right questions, and every kind of wrong answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gthulhu_http::client::ClientOptions;
use gthulhu_http::time::unix_now;
use gthulhu_http::tokens::Verifier;
use gthulhu_lib::intent::Limits;
use gthulhu_lib::wire::IntentBody;
use serde::Deserialize;

use super::*;
use crate::nodes::testdm::{Answer, Asked, TestServer, absent, data, error, key};

fn client() -> DmClient {
    client_with(Tokens::minted(key(), "me"), ClientOptions::default())
}

fn client_with(tokens: Tokens, options: ClientOptions) -> DmClient {
    DmClient::new(Client::new(options), tokens)
}

fn a_push() -> Request {
    let body = IntentBody { pod_id: "p".into(), command_regex: "a<b".into(), ..IntentBody::default() };
    let set = IntentSet::check(vec![body], &Limits::default()).unwrap();
    Request::Push { pair: Pair { epoch: 3, generation: 7 }, set: Arc::new(set) }
}

/// The outcome of one request answered by `answer`.
async fn outcome(request: &Request, answer: Answer) -> Outcome {
    let server = TestServer::start(move |_| answer.clone()).await;
    client().perform(&server.endpoint(), request).await
}

fn failure(outcome: Outcome) -> (FailureKind, String) {
    match outcome {
        Outcome::Failed(Failure { kind, message }) => (kind, message),
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_push_is_the_full_set_with_its_number() {
    let server = TestServer::start(|_| Answer::Reply(200, "anything".into())).await;
    let outcome = client().perform(&server.endpoint(), &a_push()).await;
    assert!(matches!(outcome, Outcome::Accepted), "{outcome:?}");
    let [Asked { what, body, .. }] = &server.asked()[..] else { panic!("one request") };
    assert_eq!(what, "POST /api/v1/intents");
    let intents = r#"[{"podID":"p","commandRegex":"a\u003cb"}]"#;
    assert_eq!(*body, format!("{{\"intents\":{intents},\"epoch\":3,\"generation\":7}}\n"));
}

#[tokio::test]
async fn only_200_is_success() {
    for (status, text) in
        [(201, "status 201"), (204, "status 204"), (307, "status 307"), (422, "status 422: no")]
    {
        let (kind, message) = failure(outcome(&a_push(), error(status, "no")).await);
        assert_eq!(kind, FailureKind::BadAnswer);
        assert!(message.starts_with(text), "{message}");
        failure(outcome(&Request::Compare, error(status, "no")).await);
    }
}

#[tokio::test]
async fn a_conflict_may_name_the_pair() {
    let held = Some(Pair { epoch: 4, generation: 9 });
    let cases = [
        (r#"{"success":false,"error":"x","heldEpoch":4,"heldGeneration":9}"#, held),
        (r#"{"success":false,"error":"x","heldEpoch":4}"#, None),
        (r#"{"heldEpoch":-4,"heldGeneration":9}"#, None),
        (r#"{"heldEpoch":4,"heldEpoch":5,"heldGeneration":9}"#, None),
        ("", None),
    ];
    for (body, held) in cases {
        let outcome = outcome(&a_push(), Answer::Reply(409, body.into())).await;
        assert!(matches!(outcome, Outcome::Conflict(found) if found == held), "{body}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_a_dm_holds_is_read_whether_it_is_ours_or_not() {
    let (root, digest) = ("ab".repeat(32), "CD".repeat(32));
    let ours =
        format!(r#"{{"rootHash":"{root}","epoch":2,"generation":5,"edited":true,"digest":"{digest}"}}"#);
    let Outcome::State(state) = outcome(&Request::Compare, data(&ours)).await else { panic!("a state") };
    let held = Some(Pair { epoch: 2, generation: 5 });
    assert_eq!(
        (state.root, state.digest, state.held, state.edited),
        ([0xab; 32], Some([0xcd; 32]), held, true)
    );
    let theirs = data(&format!(r#"{{"rootHash":"{root}"}}"#));
    let Outcome::State(state) = outcome(&Request::Compare, theirs).await else { panic!("a state") };
    assert_eq!((state.root, state.digest, state.held, state.edited), ([0xab; 32], None, None, false));
}

#[tokio::test]
async fn hostile_replies_are_failures_and_nothing_worse() {
    let root = "ab".repeat(32);
    let success = |data: &str| Answer::Reply(200, format!(r#"{{"success":true,"data":{data}}}"#));
    let raw = |text: &str| Answer::Raw(text.as_bytes().to_vec());
    let hostile = [
        Answer::Reply(200, String::new()),
        Answer::Reply(200, "null".into()),
        Answer::Reply(200, r#"{"success":true}"#.into()),
        Answer::Reply(200, format!(r#"{{"success":false,"data":{{"rootHash":"{root}"}}}}"#)),
        Answer::Reply(200, "[".repeat(100_000)),
        success("{}"),
        success(r#"{"rootHash":7}"#),
        success(r#"{"rootHash":"short"}"#),
        success(&format!(r#"{{"rootHash":"{}"}}"#, "zz".repeat(32))),
        success(&format!(r#"{{"rootHash":"{}"}}"#, "ä".repeat(32))),
        success(&format!(r#"{{"rootHash":"{root}","digest":"{root}0"}}"#)),
        success(&format!(r#"{{"rootHash":"{root}","epoch":1}}"#)),
        success(&format!(r#"{{"rootHash":"{root}","epoch":1.5,"generation":1}}"#)),
        raw("SSH-2.0-nonsense\r\n"),
        raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        raw(""),
    ];
    for answer in hostile {
        let told = format!("{answer:?}");
        let (kind, message) = failure(outcome(&Request::Compare, answer).await);
        assert_ne!(kind, FailureKind::TimedOut, "{told}");
        assert!(message.len() < 500 && !message.contains(char::is_control), "{told}: {message}");
    }
}

#[tokio::test]
async fn a_dms_own_words_are_quoted_on_one_short_line() {
    let long = format!(r"two\nlines\u001b[31m {}", "x".repeat(1000));
    let (_, message) = failure(outcome(&a_push(), error(500, &long)).await);
    assert!(message.starts_with("status 500: two\u{fffd}lines\u{fffd}[31m xxx"), "{message}");
    assert!(message.chars().count() < 250);
}

#[tokio::test]
async fn silence_and_absence_are_told_apart() {
    let options = ClientOptions { total: Duration::from_millis(50), ..ClientOptions::default() };
    let client = client_with(Tokens::minted(key(), "me"), options);
    let hangs = TestServer::start(|_| Answer::Hang).await;
    let (kind, _) = failure(client.perform(&hangs.endpoint(), &Request::Compare).await);
    assert_eq!(kind, FailureKind::TimedOut);
    let ((_socket, endpoint), client) = (absent(), self::client());
    let (kind, message) = failure(client.perform(&endpoint, &Request::Compare).await);
    assert_eq!((kind, message.as_str()), (FailureKind::Unreachable, "connection refused"));
    let nonsense = Endpoint { url: "ftp://example".into(), ..Endpoint::default() };
    assert_eq!(failure(client.perform(&nonsense, &Request::Compare).await).0, FailureKind::BadAnswer);
}

#[derive(Deserialize)]
struct Claims {
    client_id: String,
    iss: String,
    sub: String,
    exp: i64,
    iat: i64,
}

#[tokio::test]
async fn our_own_token_is_signed_once_and_used_for_all() {
    let (one, other) =
        (TestServer::start(|_| error(500, "x")).await, TestServer::start(|_| error(401, "x")).await);
    let client = client();
    for server in [&one, &other, &one, &other] {
        client.perform(&server.endpoint(), &Request::Compare).await;
    }
    let tokens: Vec<_> =
        [one.asked(), other.asked()].concat().into_iter().map(|asked| asked.token.unwrap()).collect();
    assert_eq!(tokens.len(), 4);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    let claims: Claims = Verifier::new(key().public()).verify(&tokens[0]).unwrap();
    assert_eq!((claims.client_id.as_str(), claims.sub.as_str()), ("me", "me"));
    assert_eq!((claims.iss.as_str(), claims.exp - claims.iat), ("decision-maker-service", 24 * 3600));
}

/// A dm that gives out `t1`, `t2`, ... and accepts only those in `good`.
async fn token_giver(lifetime_s: i64, good: &'static [&'static str]) -> TestServer {
    let given = AtomicUsize::new(0);
    TestServer::start(move |asked| {
        if asked.what == "POST /api/v1/auth/token" {
            let number = given.fetch_add(1, Ordering::Relaxed) + 1;
            return data(&format!(r#"{{"token":"t{number}","expired_at":{}}}"#, unix_now() + lifetime_s));
        }
        let accepted = asked.token.as_deref().is_some_and(|token| good.contains(&token));
        if accepted { data(r#"{"pods":[]}"#) } else { error(401, "Invalid or expired token: x") }
    })
    .await
}

/// What each request to `server` carried, in order.
fn tokens_seen(server: &TestServer) -> Vec<String> {
    let name = |asked: &Asked| asked.token.clone().unwrap_or_else(|| "exchange".into());
    server.asked().iter().map(name).collect()
}

#[tokio::test]
async fn a_token_from_the_dm_is_used_until_a_minute_before_it_expires() {
    for (lifetime_s, seen) in
        [(3600, &["exchange", "t1", "t1"][..]), (59, &["exchange", "t1", "exchange", "t2"])]
    {
        let server = token_giver(lifetime_s, &["t1", "t2"]).await;
        let client = client_with(Tokens::exchanged(key().public(), ""), ClientOptions::default());
        for _ in 0..2 {
            client.pods_pids(&server.endpoint()).await.unwrap();
        }
        assert_eq!(tokens_seen(&server), seen, "valid for {lifetime_s} s");
        let body: gthulhu_lib::wire::TokenRequest = json::parse(server.asked()[0].body.as_bytes()).unwrap();
        assert_eq!(body.public_key, key().public().to_pem());
        assert_eq!(body.client_id, "gthulhu-manager");
    }
}

#[tokio::test]
async fn a_token_that_the_dm_refuses_is_exchanged_at_the_next_call() {
    let server = token_giver(3600, &["t2"]).await;
    let client = client_with(Tokens::exchanged(key().public(), "me"), ClientOptions::default());
    let refused = client.pods_pids(&server.endpoint()).await.unwrap_err();
    assert_eq!(refused.message, "status 401: Invalid or expired token: x");
    client.pods_pids(&server.endpoint()).await.unwrap();
    assert_eq!(tokens_seen(&server), ["exchange", "t1", "exchange", "t2"]);
}

#[tokio::test]
async fn what_is_not_a_token_is_not_sent_anywhere() {
    let (long, forever) = ("x".repeat(10_000), i64::MAX);
    for token in ["", "two words", r"line\r\nbreak", "ünicode", &long] {
        let reply = data(&format!(r#"{{"token":"{token}","expired_at":{forever}}}"#));
        let server = TestServer::start(move |_| reply.clone()).await;
        let client = client_with(Tokens::exchanged(key().public(), "me"), ClientOptions::default());
        let refused = client.pods_pids(&server.endpoint()).await.unwrap_err();
        assert_eq!(refused.message, "bad reply: what it gave is not a token");
        assert_eq!(tokens_seen(&server), ["exchange"]);
    }
}

#[tokio::test]
async fn pods_and_processes_are_passed_on() {
    let pods =
        r#"{"pods":[{"pod_uid":"u","processes":[{"pid":7,"command":"nginx","ppid":1}]}],"node_name":"n"}"#;
    let server = TestServer::start(move |_| data(pods)).await;
    let reply = client().pods_pids(&server.endpoint()).await.unwrap();
    assert_eq!(server.asked()[0].what, "GET /api/v1/pods/pids");
    assert_eq!((reply.node_name.as_str(), reply.pods[0].processes[0].pid), ("n", 7));
}
