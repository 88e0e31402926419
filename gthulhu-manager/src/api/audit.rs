//! Reading the audit trail.

use std::sync::Arc;

use gthulhu_http::call::{Call, Head};
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::Route;
use http::Method;
use serde::Serialize;

use super::App;
use super::policy::Permitted;
use crate::service::{AuditRead, Granted, PAGE_ROWS_MAX, TrailFilter};
use crate::store::AuditRecord;

/// Records of one answer, unless asked for otherwise.
const ROWS: usize = 100;

/// The audit trail.
pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::new(
        Method::GET,
        "/api/v1/audit",
        Permitted::<AuditRead>::new(),
        list,
        "Reads the audit trail, newest first; by actor, verb, object, requestId, from, since and until.",
    )]
}

/// `GET /api/v1/audit`
#[derive(Serialize)]
struct AuditReply {
    /// Newest first, each as it is stored.
    records: Vec<AuditRecord>,
    /// Where the next page starts.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /api/v1/audit`; `?actor=`, `?verb=`, `?object=`, `?requestId=`, `?from=`, `?since=`, `?until=`, `?limit=`,
/// `?continue=`.
async fn list(app: Arc<App>, grant: Granted<AuditRead>, call: Call) -> Result<Reply, HttpError> {
    let text = |name: &str| call.query(name).map(str::to_owned);
    let filter = TrailFilter {
        actor: text("actor"),
        verb: text("verb"),
        object: text("object"),
        request_id: text("requestId"),
        from: text("from"),
        since: number(&call.head, "since")?,
        until: number(&call.head, "until")?,
    };
    let limit = match number(&call.head, "limit")? {
        None => ROWS,
        Some(limit) if (1..=PAGE_ROWS_MAX).contains(&limit) => limit,
        Some(_) => return Err(bad("limit", "must be 1 to 1000")),
    };
    let before = number(&call.head, "continue")?;
    let page = app.run(move |service| service.trail(&grant, &filter, before, limit)).await?;
    Ok(Reply::data(&AuditReply { records: page.records, next: page.next.map(|seq| seq.to_string()) }))
}

fn number<N: std::str::FromStr>(head: &Head, name: &str) -> Result<Option<N>, HttpError> {
    head.query(name).map(|text| text.parse().map_err(|_| bad(name, "must be a number"))).transpose()
}

fn bad(field: &str, rule: &str) -> HttpError {
    HttpError::bad_request(format!("{field} {rule}")).in_field(field)
}
