//! What schedulers and people ask: the strategy of each task, and the processes of each pod.

use std::sync::Arc;

use gthulhu_http::{
    call::Call,
    error::HttpError,
    reply::Reply,
    time::{now_rfc3339, rfc3339, unix_now},
};
use gthulhu_lib::wire::{PodsPidsReply, StrategyRow};
use http::StatusCode;
use serde::Serialize;

use super::App;
use crate::auth::Caller;

/// [`gthulhu_lib::wire::StrategiesReply`] with borrowed rows: there may be tens of thousands.
#[derive(Serialize)]
struct Strategies<'a> {
    success: bool,
    message: &'static str,
    timestamp: String,
    scheduling: &'a [StrategyRow],
}

/// `GET scheduling/strategies`; `?threads=` overrides the configuration.
pub(super) async fn strategies(app: Arc<App>, _caller: Caller, call: Call) -> Result<Reply, HttpError> {
    let threads = match call.query("threads") {
        None => app.threads,
        Some("true" | "1" | "") => true,
        Some("false" | "0") => false,
        Some(_) => return Err(HttpError::bad_request("threads must be true or false")),
    };
    let failed = || HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "Failed to list scheduling intents");
    let rows = app.node.rows().await.map_err(|error| failed().caused_by(error))?;
    Ok(rows.reply(threads, unix_now(), |scheduling, time| {
        let message = "Scheduling intents retrieved successfully";
        let shown = Strategies { success: true, message, timestamp: rfc3339(time), scheduling };
        Reply::json(StatusCode::OK, &shown)
    }))
}

/// `GET pods/pids`.
pub(super) async fn pods(app: Arc<App>, _caller: Caller, _call: Call) -> Result<Reply, HttpError> {
    let failed = HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "Failed to retrieve pod information");
    let pods = app.node.pods().await.map_err(|error| failed.caused_by(error))?;
    Ok(Reply::data(&PodsPidsReply {
        pods,
        timestamp: now_rfc3339(),
        node_name: app.name.clone(),
        node_id: None,
    }))
}
