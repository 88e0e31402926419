//! What probes ask, what nobody answers, and what cannot be read.

use crate::people::ALICE;
use crate::rig::{Rig, golden};

#[tokio::test]
async fn probes() {
    let rig = Rig::start();
    let stranger = rig.stranger();
    for (name, path) in [
        ("health", "/health"),
        ("version", "/version"),
        ("livez", "/livez"),
        ("readyz", "/readyz"),
        ("readyz-verbose", "/readyz?verbose"),
    ] {
        golden(name, &stranger.get(path).await);
    }
    let blind = Rig::start_blind();
    golden("readyz-blind", &blind.stranger().get("/readyz").await);
    golden("readyz-blind-verbose", &blind.stranger().get("/readyz?verbose").await);
}

#[tokio::test]
async fn what_no_route_answers() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    for (name, method, path) in [
        ("root", "GET", "/"),
        ("unknown-path", "GET", "/metrics/x"),
        ("health-wrong-method", "POST", "/health"),
        ("health-head", "HEAD", "/health"),
        ("health-options", "OPTIONS", "/health"),
        ("api-unknown-path", "GET", "/api/v1/users/selfish"),
        ("api-wrong-method", "PATCH", "/api/v1/strategies"),
        ("api-options", "OPTIONS", "/api/v1/strategies"),
        ("api-trailing-slash", "GET", "/api/v1/users/self/"),
        // Routes of the Go system that are not ours.
        ("api-node-policies", "GET", "/api/v1/node-scheduling-policies/self"),
        ("api-runtime-config", "GET", "/api/v1/scheduler/runtime-config/status"),
    ] {
        golden(name, &alice.send(method, path, None).await);
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_or_asked_for_as_problems() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let large = format!("{{\"commandRegex\":\"{}\"}}", "x".repeat(256 * 1024));
    golden("body-too-large", &alice.send("POST", "/api/v1/strategies", Some(large.as_bytes())).await);
    let problems = alice.header("Accept", "application/problem+json").header("X-Request-ID", "golden-1");
    golden(
        "problem-bad-body",
        &problems.send("POST", "/api/v1/strategies", Some(b"{\"priority\":\"high\"}")).await,
    );
    golden("problem-field", &problems.send("POST", "/api/v1/strategies", Some(b"{\"priority\":21}")).await);
}
