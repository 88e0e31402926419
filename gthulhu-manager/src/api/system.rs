//! What the manager tells about itself besides its health.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::health::Health;
use gthulhu_http::metrics::render;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::{Public, Route};
use http::Method;
use http::header::CACHE_CONTROL;

use super::App;
use crate::metrics::Stock;

/// The routes that this file answers.
pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::new(Method::GET, "/metrics", Public, metrics, "Counters and gauges, for Prometheus."),
        Route::new(
            Method::GET,
            "/.well-known/jwks.json",
            Public,
            jwks,
            "The public keys of access tokens, as a JWK set.",
        ),
    ]
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
