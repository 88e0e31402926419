//! Bodies that no client of ours sends, on every route that reads one: refused, and nothing changes.

use std::process::Command;

use gthulhu_http::testkit::Exchange;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rig::{Manager, in_time};

/// A route that reads a body, one that it would take, and a field with values of wrong types.
const READERS: [(&str, &str, &str, &[&str]); 6] = [
    (
        "POST",
        "/api/v1/auth/login",
        r#"{"username":"a","password":"b"}"#,
        &[
            r#"{"username":1}"#,
            r#"{"username":["a"],"password":"b"}"#,
            r#"{"username":"a","password":{"a":"b"}}"#,
            r#"{"username":true}"#,
        ],
    ),
    (
        "PUT",
        "/api/v1/users/self/password",
        r#"{"oldPassword":"a","newPassword":"b"}"#,
        &[r#"{"oldPassword":1}"#, r#"{"newPassword":[]}"#, r#"{"newPassword":1e400}"#],
    ),
    (
        "POST",
        "/api/v1/strategies",
        r#"{"priority":1}"#,
        &[
            r#"{"priority":"1"}"#,
            r#"{"priority":1.5}"#,
            r#"{"priority":1e-3}"#,
            r#"{"priority":9223372036854775808}"#,
            r#"{"priority":-9223372036854775809}"#,
            r#"{"priority":[]}"#,
            r#"{"executionTime":true}"#,
            r#"{"executionTime":"20ms"}"#,
            r#"{"commandRegex":7}"#,
            r#"{"strategyNamespace":{}}"#,
            r#"{"k8sNamespace":"default"}"#,
            r#"{"k8sNamespace":[1]}"#,
            r#"{"k8sNamespace":[null]}"#,
            r#"{"k8sNamespace":{"0":"default"}}"#,
            r#"{"labelSelectors":{"key":"a","value":"b"}}"#,
            r#"{"labelSelectors":["a"]}"#,
            r#"{"labelSelectors":[["a","b"]]}"#,
            r#"{"labelSelectors":[{"key":1}]}"#,
            r#"{"strategyId":"a","strategyID":"b"}"#,
        ],
    ),
    (
        "PUT",
        "/api/v1/strategies",
        r#"{"strategyId":"000000000000000000000000"}"#,
        &[r#"{"strategyId":1}"#, r#"{"strategyId":["000000000000000000000000"]}"#, r#"{"priority":{}}"#],
    ),
    (
        "DELETE",
        "/api/v1/strategies",
        r#"{"strategyId":"000000000000000000000000"}"#,
        &[r#"{"strategyId":1}"#, r#"{"strategyId":{}}"#],
    ),
    (
        "DELETE",
        "/api/v1/intents",
        r#"{"intentIds":["000000000000000000000000"]}"#,
        &[
            r#"{"intentIds":"000000000000000000000000"}"#,
            r#"{"intentIds":[1]}"#,
            r#"{"intentIds":[["000000000000000000000000"]]}"#,
            r#"{"intentIds":{}}"#,
        ],
    ),
];

fn nested(depth: usize) -> Vec<u8> {
    let inner = depth - 1;
    format!("{{\"x\":{}{}}}", "[".repeat(inner), "]".repeat(inner)).into_bytes()
}

/// Bodies that are not one JSON object, made from one that is.
fn broken(good: &str) -> Vec<(&'static str, Vec<u8>)> {
    let good = good.as_bytes();
    let inside = &good[..good.len() - 1];
    vec![
        ("nothing", Vec::new()),
        ("blanks", b" \r\n\t ".to_vec()),
        ("no JSON", b"username=a&password=b".to_vec()),
        ("cut short", inside.to_vec()),
        ("trailing bytes", [good, b"x"].concat()),
        ("a trailing NUL", [good, b"\0"].concat()),
        ("two values", [good, good].concat()),
        ("a list around it", [b"[", good, b"]"].concat()),
        ("a list", b"[]".to_vec()),
        ("a list of its values", br#"["a","b"]"#.to_vec()),
        ("a text", b"\"x\"".to_vec()),
        ("a number", b"7".to_vec()),
        ("a duplicate key", [inside, b",", &good[1..]].concat()),
        ("a duplicate key that nobody reads", [inside, br#","x":1,"x":null}"#].concat()),
        ("a duplicate key, spelled otherwise", [inside, br#","x":1,"\u0078":1}"#].concat()),
        ("a level too deep", nested(33)),
        ("levels too deep", nested(50_000)),
        ("bad UTF-8", [inside, b",\"x\":\"\xff\"}"].concat()),
        ("UTF-8 longer than need be", [inside, b",\"x\":\"\xc0\xaf\"}"].concat()),
        ("UTF-16", good.iter().flat_map(|byte| [*byte, 0]).collect()),
        ("a byte order mark", [b"\xef\xbb\xbf", good].concat()),
        ("a lone surrogate", [inside, br#","x":"\ud800"}"#].concat()),
        ("a number beyond all", [inside, br#","x":1e400}"#].concat()),
        ("a number that is none", [inside, br#","x":NaN}"#].concat()),
        ("a leading zero", [inside, br#","x":01}"#].concat()),
        ("a comma too many", [inside, b",}"].concat()),
        ("a comment", [good, b"// more"].concat()),
        ("a control character", [inside, b",\"x\":\"\n\"}"].concat()),
    ]
}

#[tokio::test]
async fn bodies_that_are_not_what_the_route_takes_are_refused_by_every_route() {
    let manager = Manager::start_beside(Command::new).await;
    let admin = manager.admin().await;
    let strategy = json!({"labelSelectors": [{"key": "app", "value": "web"}], "priority": 3});
    assert_eq!(admin.post("/api/v1/strategies?allowEmpty=true", &strategy).await.status, 200);
    let before = admin.get("/api/v1/strategies/self").await.data();
    let mut refused = 0;
    for (method, path, good, wrong) in READERS {
        let wrong = wrong.iter().map(|body| ("a wrong type", body.as_bytes().to_vec()));
        for (what, body) in broken(good).into_iter().chain(wrong) {
            let reply = admin.send(method, path, Some(&body)).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            assert_eq!(reply.status, 400, "{method} {path}: {what}: {shown}: {}", reply.text());
            assert_eq!(reply.error(), "Invalid request body", "{method} {path}: {what}");
            refused += 1;
        }
        let packed = admin.header("Content-Encoding", "gzip").send(method, path, Some(good.as_bytes())).await;
        assert_eq!(packed.status, 415, "{method} {path}");
        let large = admin.send(method, path, Some(&nested(1_000_000))).await;
        assert_eq!(large.status, 413, "{method} {path}: {}", large.text());
        let deepest = admin.send(method, path, Some(&nested(32))).await;
        assert!(deepest.status >= 400, "{method} {path}: none of its fields is there");
        assert_ne!(deepest.error(), "Invalid request body", "{method} {path}: 32 levels are accepted");
    }
    println!("{refused} bodies were refused");
    assert_eq!(admin.get("/api/v1/strategies/self").await.data(), before);
}

const GIBIBYTE: usize = 1 << 30;
/// How much more memory than before a body may cost, whatever its size.
const MORE_MEMORY_KB: u64 = 16 * 1024;

/// Sends a body until all of it is sent or the server stops reading; how much was sent, and the reply.
async fn pour(mut stream: TcpStream, piece: &[u8], total: usize) -> (usize, Exchange) {
    let (mut reader, mut writer) = stream.split();
    let mut reply = Vec::new();
    let sending = async {
        let mut sent = 0;
        while sent < total && writer.write_all(piece).await.is_ok() {
            sent += piece.len();
        }
        sent
    };
    let (sent, _) = tokio::join!(sending, reader.read_to_end(&mut reply));
    (sent, Exchange::parse("a gibibyte", &reply))
}

#[tokio::test]
async fn a_gibibyte_is_refused_before_it_is_there() {
    let mut manager = Manager::start().await;
    let token_free = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n";
    manager.ignore_log();
    // Once in small: what is measured must not be the first use of the program's own pages.
    for _ in 0..2 {
        let small = manager.client().send("POST", "/api/v1/auth/login", Some(&vec![b'['; 1 << 19])).await;
        assert_eq!(small.status, 413);
    }
    manager.forget_peak();
    let before = manager.memory("VmRSS");
    let chunk = format!("10000\r\n{}\r\n", "[".repeat(1 << 16));
    let declared = format!("{token_free}Content-Length: {GIBIBYTE}\r\n\r\n");
    let chunked = format!("{token_free}Transfer-Encoding: chunked\r\n\r\n");
    let one_chunk = format!("{chunked}40000000\r\n");
    let text = "x".repeat(1 << 16);
    for (head, piece) in [(&declared, &text), (&chunked, &chunk), (&one_chunk, &text)] {
        // Several at once: their sum counts, too.
        let one = async || pour(manager.connect(head).await, piece.as_bytes(), GIBIBYTE).await;
        let all = async { tokio::join!(one(), one(), one(), one()) };
        for (sent, reply) in <[_; 4]>::from(in_time("gibibytes", all).await) {
            assert_eq!((reply.status, reply.header("connection")), (413, Some("close")), "{head:?}");
            assert!(sent < GIBIBYTE / 16, "the server went on reading: {sent} bytes");
        }
    }
    let more = manager.memory("VmHWM").saturating_sub(before);
    println!("12 bodies of 1 GiB: {more} KiB more memory at most, of {before} KiB before");
    assert!(more <= MORE_MEMORY_KB, "{more} KiB");
    assert_eq!(manager.client().get("/health").await.status, 200);
}
