//! What probes and people ask a daemon first.
//!
//! `/health` and `/version` keep the keys that existing monitors read and check nothing. `/livez` says that the
//! process answers; `/readyz` says whether it can do its work, and `?verbose` names what it lacks.

use std::fmt::Write as _;
use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Serialize;

use crate::call::Call;
use crate::error::HttpError;
use crate::reply::Reply;
use crate::route::{Public, Route};
use crate::time;

/// What a daemon says about itself.
pub trait Health: Send + Sync + 'static {
    /// The daemon's name.
    const SERVICE: &'static str;
    /// The daemon's version.
    const VERSION: &'static str;

    /// The main endpoints in one line, for `/version`.
    fn endpoints(&self) -> String;

    /// Everything that must hold for the daemon to do its work. Called on each `/readyz`: must not block.
    fn checks(&self) -> Vec<Check>;
}

/// One condition of readiness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A word: `store`, `cluster`.
    pub name: &'static str,
    /// Whether it holds. A check that only informs always holds.
    pub ok: bool,
    /// The state in a few words; no secrets, anybody may read it.
    pub detail: String,
}

impl Check {
    /// A condition that holds.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Check {
        Check { name, ok: true, detail: detail.into() }
    }

    /// A condition that does not hold.
    pub fn failed(name: &'static str, detail: impl Into<String>) -> Check {
        Check { name, ok: false, detail: detail.into() }
    }
}

/// `/health`, `/version`, `/livez` and `/readyz`, in this order: open to everybody, answered under any load.
pub fn health_routes<A: Health>() -> [Route<A>; 4] {
    let get = Method::GET;
    [
        Route::new(
            get.clone(),
            "/health",
            Public,
            health,
            "Says that the process answers, for existing monitors.",
        )
        .uncounted(),
        Route::new(
            get.clone(),
            "/version",
            Public,
            version,
            "Names the service, its version and its endpoints.",
        )
        .uncounted(),
        Route::new(get.clone(), "/livez", Public, livez, "200 while the process answers.").uncounted(),
        Route::new(
            get,
            "/readyz",
            Public,
            readyz,
            "200 when it can do its work, else 503; ?verbose says why.",
        )
        .uncounted(),
    ]
}

#[derive(Serialize)]
struct HealthBody {
    status: &'static str,
    timestamp: String,
    service: &'static str,
}

async fn health<A: Health>(_: Arc<A>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    let body = HealthBody { status: "healthy", timestamp: time::now_rfc3339(), service: A::SERVICE };
    Ok(Reply::json(StatusCode::OK, &body))
}

#[derive(Serialize)]
struct VersionBody {
    message: &'static str,
    version: &'static str,
    endpoints: String,
}

async fn version<A: Health>(app: Arc<A>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    let body = VersionBody { message: A::SERVICE, version: A::VERSION, endpoints: app.endpoints() };
    Ok(Reply::json(StatusCode::OK, &body))
}

async fn livez<A: Health>(_: Arc<A>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    Ok(plain(StatusCode::OK, "ok".to_owned()))
}

async fn readyz<A: Health>(app: Arc<A>, _grant: (), call: Call) -> Result<Reply, HttpError> {
    let checks = app.checks();
    let ready = checks.iter().all(|check| check.ok);
    let (status, word) =
        if ready { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    if !call.head.flag("verbose") {
        return Ok(plain(status, word.to_owned()));
    }
    let mut text = String::new();
    for check in &checks {
        let mark = if check.ok { '+' } else { '-' };
        // One line for each check, whatever its detail holds.
        let detail = check.detail.replace(['\n', '\r'], " ");
        let _ = writeln!(text, "[{mark}] {}: {detail}", check.name);
    }
    let _ = writeln!(text, "{word}");
    Ok(plain(status, text))
}

fn plain(status: StatusCode, text: String) -> Reply {
    Reply::text("text/plain; charset=utf-8", text).with_status(status)
}
