//! Reading the audit trail.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::Route;
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::App;
use super::lists::LIMIT;
use super::openapi::{Operation, Row, row};
use super::policy::Permitted;
use super::query::{Number, Text};
use crate::service::{AuditRead, Granted, TrailFilter};
use crate::store::AuditRecord;

/// Records of one answer, unless asked for otherwise.
const ROWS: usize = 100;

const ACTOR: Text = Text { name: "actor", about: "Only what this user did: an id, `anonymous` or `system`." };
const VERB: Text =
    Text { name: "verb", about: "Only what was done with this verb, such as `strategy.create`." };
const OBJECT: Text = Text { name: "object", about: "Only what was done to this, such as `strategy/ID`." };
const REQUEST_ID: Text = Text { name: "requestId", about: "Only what was done in this request." };
const FROM: Text = Text { name: "from", about: "Only what was asked for from this address." };
const SINCE: Number<i64> =
    Number { name: "since", about: "Not before: milliseconds since the epoch.", range: i64::MIN..=i64::MAX };
const UNTIL: Number<i64> =
    Number { name: "until", about: "Not after: milliseconds since the epoch.", range: i64::MIN..=i64::MAX };
const CONTINUE: Number<u64> = Number {
    name: "continue",
    about: "Where the page starts: what the page before gave.",
    range: 0..=u64::MAX,
};

/// The audit trail.
pub(super) fn routes() -> Vec<Row> {
    vec![row(
        Route::new(
            Method::GET,
            "/api/v1/audit",
            Permitted::<AuditRead>::new(),
            list,
            "Reads the audit trail, newest first.",
        ),
        Operation::data::<AuditReply>()
            .query(&ACTOR)
            .query(&VERB)
            .query(&OBJECT)
            .query(&REQUEST_ID)
            .query(&FROM)
            .query(&SINCE)
            .query(&UNTIL)
            .query(&LIMIT)
            .query(&CONTINUE),
    )]
}

/// `GET /api/v1/audit`
#[derive(Serialize, JsonSchema)]
struct AuditReply {
    /// Newest first, each as it is stored.
    records: Vec<AuditRecord>,
    /// Where the next page starts.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /api/v1/audit`, also by pages and in parts.
async fn list(app: Arc<App>, grant: Granted<AuditRead>, call: Call) -> Result<Reply, HttpError> {
    let head = &call.head;
    let filter = TrailFilter {
        actor: ACTOR.of(head),
        verb: VERB.of(head),
        object: OBJECT.of(head),
        request_id: REQUEST_ID.of(head),
        from: FROM.of(head),
        since: SINCE.of(head)?,
        until: UNTIL.of(head)?,
    };
    let (limit, before) = (LIMIT.of(head)?.unwrap_or(ROWS), CONTINUE.of(head)?);
    let page = app.run(move |service| service.trail(&grant, &filter, before, limit)).await?;
    Ok(Reply::data(&AuditReply { records: page.records, next: page.next.map(|seq| seq.to_string()) }))
}
