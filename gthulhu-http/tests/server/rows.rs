//! Every kind of reply, to the byte.

use gthulhu_http::limits::Limits;
use gthulhu_http::testkit::TestServer;
use gthulhu_http::testkit::golden::{self, Golden};

use crate::app::{App, connect, read_line_body, routes};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

#[tokio::test]
async fn each_kind_of_reply_is_as_it_was() {
    let server = TestServer::start(App::new(), routes());
    let open = server.client();
    let alice = open.bearer("letmein");
    let thing = serde_json::json!({"name": "<a>&"});
    let wrong = serde_json::json!({"name": "a", "priority": 21});
    for (name, exchange) in [
        ("data", alice.post("/api/v1/things", &thing).await),
        ("empty", open.send("DELETE", "/api/v1/things", None).await),
        ("params", open.get("/api/v1/things/a%20b%2Fc?q=x+y").await),
        ("unauthorized", open.post("/api/v1/things", &thing).await),
        ("unprocessable", alice.post("/api/v1/things", &wrong).await),
        ("conflict", open.get("/api/v1/stale").await),
        ("internal", open.get("/api/v1/broken").await),
        ("unknown_path", open.get("/api/v1/nowhere").await),
        ("health", open.get("/health").await),
        ("version", open.get("/version").await),
        ("livez", open.get("/livez").await),
        ("readyz", open.get("/readyz").await),
        ("readyz_verbose", open.get("/readyz?verbose").await),
    ] {
        golden::check(GOLDEN, name, &exchange);
    }
    server.stop().await;
}

#[tokio::test]
async fn an_unready_daemon_says_what_it_lacks() {
    let server = TestServer::start(App::with_readiness(false), routes());
    let client = server.client();
    golden::check(GOLDEN, "unready", &client.get("/readyz").await);
    golden::check(GOLDEN, "unready_verbose", &client.get("/readyz?verbose").await);
    assert_eq!(client.get("/livez").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn problem_details_for_those_who_ask() {
    let server = TestServer::start(App::new(), routes());
    let client = server.client().header("Accept", "application/problem+json").header("X-Request-ID", "r.1");
    let alice = client.bearer("letmein");
    let golden = Golden::new(GOLDEN);
    let wrong_type = serde_json::json!({"name": "a", "priority": "high"});
    golden.check("problem_field", &alice.post("/api/v1/things", &wrong_type).await);
    golden.check("problem_conflict", &client.get("/api/v1/stale").await);
    golden.check("problem_router", &client.get("/nowhere").await);
    server.stop().await;
}

#[tokio::test]
async fn what_no_route_answers() {
    let server = TestServer::start(App::new(), routes());
    let client = server.client();
    let not_found = "{\"message\":\"Not Found\"}\n";
    for (method, path, status, allow, body) in [
        ("GET", "/api/v1/nowhere", 404, None, not_found),
        ("PUT", "/api/v1/things", 404, None, not_found),
        ("OPTIONS", "/api/v1/things", 404, None, not_found),
        ("HEAD", "/api/v1/stale", 404, None, ""),
        ("GET", "/api/v1/things/", 404, None, not_found),
        ("GET", "/nowhere", 404, None, not_found),
        ("OPTIONS", "/nowhere", 404, None, not_found),
        ("GET", "/", 404, None, not_found),
        ("POST", "/health", 405, Some("OPTIONS, GET"), "{\"message\":\"Method Not Allowed\"}\n"),
        ("HEAD", "/health", 405, Some("OPTIONS, GET"), ""),
        ("OPTIONS", "/health", 204, Some("OPTIONS, GET"), ""),
    ] {
        let exchange = client.send(method, path, None).await;
        let seen = (exchange.status, exchange.header("allow"), exchange.text());
        assert_eq!(seen, (status, allow, body), "{method} {path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_are_not_one_json_value_are_400() {
    let server = TestServer::start(App::new(), routes());
    let alice = server.client().bearer("letmein");
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let refused: [&[u8]; 11] = [
        b"",
        b"{",
        b"{\"name\":\"a\"}garbage",
        b"{\"name\":\"a\",\"name\":\"b\"}",
        b"{\"priority\":NaN}",
        b"{\"priority\":1.5}",
        b"{\"priority\":9223372036854775808}",
        b"{\"name\":7}",
        b"{\"name\":\"\xff\"}",
        b"[]",
        deep.as_bytes(),
    ];
    for body in refused {
        let exchange = alice.send("POST", "/api/v1/things", Some(body)).await;
        let seen = (exchange.status, exchange.error());
        assert_eq!(seen, (400, "Invalid request payload".into()), "{}", String::from_utf8_lossy(body));
    }
    let accepted: [&[u8]; 3] = [b"null", b" {\"name\":null,\"unknown\":[{}]} ", b"{}"];
    for body in accepted {
        let exchange = alice.send("POST", "/api/v1/things", Some(body)).await;
        assert_eq!(exchange.data()["name"], "", "{}", String::from_utf8_lossy(body));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_panic_is_a_500_and_its_place_and_its_connection_are_of_use_afterwards() {
    let limits = Limits { in_flight: 1, ..Limits::default() };
    let server = TestServer::start_with(App::new(), routes(), limits);
    let request = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
    let panics = ["/api/v1/panic", "/api/v1/panic?later", "/api/v1/panic"].map(request).concat();
    let mut stream = connect(server.address(), &(panics + &request("/api/v1/things/one"))).await;
    for _ in 0..3 {
        let reply = read_line_body(&mut stream).await;
        assert!(reply.starts_with("HTTP/1.1 500 ") && reply.contains("\"Internal Server Error\""), "{reply}");
    }
    let reply = read_line_body(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains("\"one\""), "{reply}");
    server.stop().await;
}
