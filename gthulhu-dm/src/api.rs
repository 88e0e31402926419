//! The routes: this table is the whole HTTP API of the decision maker.
//!
//! Each module parses its request, asks the node or the tokens, and wraps the answer; no rule lives here.

use gthulhu_http::{
    health::{Check, Health, health_routes},
    route::{Public, Route},
};
use http::Method;

use crate::{
    auth::{Tokens, WithToken},
    feed::Feed,
    metrics::Metrics,
    node::Node,
};

mod explain;
mod intents;
mod metrics;
mod scheduling;
mod token;

pub use intents::Checking;

/// The largest body of a push, in bytes: some ten thousand intents.
pub const INTENTS_BODY_MAX: usize = 4 << 20;

/// What clients read when a body is not what the route takes.
const BAD_BODY: &str = "Invalid request payload";

/// What every handler works with.
pub struct App {
    /// The thread that owns the intents and the processes.
    pub node: Node,
    /// The way to the node's scheduler.
    pub feed: Feed,
    /// The key, and who may have tokens of it.
    pub tokens: Tokens,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// This node's name.
    pub name: String,
    /// Judges what intents ask for.
    pub checking: Checking,
    /// Whether schedulers get a row for every thread unless they ask otherwise.
    pub threads: bool,
}

impl AsRef<Tokens> for App {
    fn as_ref(&self) -> &Tokens {
        &self.tokens
    }
}

impl Health for App {
    const SERVICE: &'static str = "Gthulhu decision maker";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn endpoints(&self) -> String {
        "/health, /version, POST_/api/v1/intents, GET_/api/v1/scheduling/strategies".to_owned()
    }

    fn checks(&self) -> Vec<Check> {
        let mut checks = self.node.checks();
        checks.extend(self.feed.checks());
        checks
    }
}

/// What may be served without TLS where there is TLS: the answers to whoever watches over this process.
pub fn probe_routes() -> Vec<Route<App>> {
    let shown = |route: &Route<App>| ["/livez", "/readyz", "/metrics"].contains(&route.path());
    routes().into_iter().filter(shown).collect()
}

/// Every route with its policy.
pub fn routes() -> Vec<Route<App>> {
    let mut routes = Vec::from(health_routes());
    routes.extend([
        Route::new(
            Method::GET,
            "/metrics",
            Public,
            metrics::show,
            "Counters of the decision maker and of the scheduler, for Prometheus.",
        ),
        Route::new(
            Method::POST,
            "/api/v1/auth/token",
            Public,
            token::exchange,
            "Exchanges the public half of the key for a token.",
        ),
        Route::new(
            Method::POST,
            "/api/v1/intents",
            WithToken,
            intents::push,
            "Replaces the set of intents that this node holds.",
        )
        .body_limit(INTENTS_BODY_MAX),
        Route::new(
            Method::DELETE,
            "/api/v1/intents",
            WithToken,
            intents::remove,
            "Removes the intents of a pod, the rows of one process, or everything, until the next push.",
        ),
        Route::new(
            Method::GET,
            "/api/v1/intents/merkle",
            WithToken,
            intents::merkle,
            "What the node holds: root hash, numbers, digest.",
        ),
        Route::new(
            Method::GET,
            "/api/v1/scheduling/strategies",
            WithToken,
            scheduling::strategies,
            "The strategy of every governed task, for schedulers.",
        ),
        Route::new(
            Method::GET,
            "/api/v1/explain",
            WithToken,
            explain::explain,
            "Why a task has its strategy or none: by the node, and by the scheduler that is connected.",
        ),
        Route::new(
            Method::POST,
            "/api/v1/preview",
            WithToken,
            explain::preview,
            "What a set of intents would do if it was pushed now, or those of ?strategyID= in it; nothing changes.",
        )
        .body_limit(INTENTS_BODY_MAX),
        Route::new(
            Method::GET,
            "/api/v1/pods/pids",
            WithToken,
            scheduling::pods,
            "The pods of this node and their processes.",
        ),
        Route::new(
            Method::POST,
            "/api/v1/metrics",
            WithToken,
            metrics::post,
            "Takes the scheduler's counters; the last post wins.",
        ),
    ]);
    routes
}
