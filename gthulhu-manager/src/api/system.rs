//! What the manager tells about itself besides its health.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::health::{Health, health_routes};
use gthulhu_http::metrics::render;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::{Public, Route};
use http::header::CACHE_CONTROL;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::App;
use super::openapi::{Operation, Row, row};
use super::query::Text;
use crate::metrics::Stock;

const VERBOSE: Text =
    Text { name: "verbose", about: "Name each condition: `true`, `1`, or nothing after the name." };

/// The routes that this file answers.
pub(super) fn routes() -> Vec<Row> {
    let [health, version, livez, readyz] = health_routes();
    let words = |names: [&str; 3]| {
        let members: Map<String, Value> =
            names.iter().map(|name| ((*name).into(), json!({"type": "string"}))).collect();
        Operation::json(json!({"type": "object", "properties": members, "required": names}))
    };
    vec![
        row(health, words(["status", "timestamp", "service"])),
        row(version, words(["message", "version", "endpoints"])),
        row(livez, Operation::text("text/plain")),
        row(
            readyz,
            Operation::text("text/plain")
                .query(&VERBOSE)
                .or(StatusCode::SERVICE_UNAVAILABLE, "It cannot do its work now."),
        ),
        row(
            Route::new(Method::GET, "/metrics", Public, metrics, "Counters and gauges, for Prometheus."),
            Operation::text("text/plain"),
        ),
        row(
            Route::new(
                Method::GET,
                "/.well-known/jwks.json",
                Public,
                jwks,
                "The public keys of access tokens, as a JWK set.",
            ),
            Operation::json(key_set()).header("Cache-Control", "How long keys may be kept."),
        ),
    ]
}

/// As RFC 7517 has it.
fn key_set() -> Value {
    let keys = json!({"type": "array", "items": {"type": "object"}});
    json!({"type": "object", "properties": {"keys": keys}, "required": ["keys"]})
}

/// `GET /metrics`
async fn metrics(app: Arc<App>, _public: (), _call: Call) -> Result<Reply, HttpError> {
    let stock = stock(&app);
    render(app.metrics.taken(&stock))
}

/// `GET /.well-known/jwks.json`
async fn jwks(app: Arc<App>, _public: (), _call: Call) -> Result<Reply, HttpError> {
    // A key that is new must not be unknown for long, and one that is retired not be believed for long.
    Ok(Reply::text("application/json", app.tokens.jwks() + "\n").header(CACHE_CONTROL, "max-age=60"))
}

fn stock(app: &App) -> Stock {
    let mut counts = app.service.counts();
    let view = app.cluster.view();
    counts.extend([
        ("pods", view.pods.len()),
        ("nodes", view.nodes.len()),
        ("keys", app.tokens.kids().len()),
    ]);
    let mut nodes = [0; 3];
    for (_, status) in app.nodes.status().iter() {
        let answers = match status.reachable {
            Some(true) => 0,
            Some(false) => 1,
            None => 2,
        };
        nodes[answers] += 1;
    }
    let ready = app.checks().into_iter().map(|check| (check.name, check.ok)).collect();
    Stock { counts, nodes, ready }
}
