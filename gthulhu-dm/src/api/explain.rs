//! Why something is as it is, and what would be otherwise: answers that change nothing.

use std::sync::Arc;

use gthulhu_http::{call::Call, error::HttpError, reply::Reply};
use gthulhu_lib::{
    id::Id,
    wire::{
        IntentsBody,
        preview::{ExplainReply, PreviewReply},
    },
};
use http::StatusCode;

use super::{App, BAD_BODY, intents::refusal};
use crate::{auth::Caller, fence::Pair, node::Candidate};

/// `GET explain?pid=`.
pub(super) async fn explain(app: Arc<App>, _caller: Caller, call: Call) -> Result<Reply, HttpError> {
    let pid = call.query("pid").and_then(|text| text.parse().ok());
    let bad = || HttpError::bad_request("pid must be the id of a process or thread").in_field("pid");
    let pid = pid.filter(|&pid| pid > 0).ok_or_else(bad)?;
    let failed = HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "Failed to explain the task");
    let (node, scheduler) = tokio::join!(app.node.explain(pid), app.feed.explain(pid));
    let explanation = node.map_err(|error| failed.caused_by(error))?;
    let (node_name, source) = (app.name.clone(), app.node.source().to_owned());
    Ok(Reply::data(&ExplainReply { node_name, source, explanation, scheduler }))
}

/// `POST preview`: the body of a push, judged like one and not stored; the numbers may be left out.
pub(super) async fn preview(app: Arc<App>, _caller: Caller, call: Call) -> Result<Reply, HttpError> {
    let body: IntentsBody = call.json(BAD_BODY)?;
    let pair =
        Pair::parse(body.epoch, body.generation).map_err(|bad| HttpError::bad_request(bad.to_string()))?;
    let strategy = call.query("strategyID").map(str::parse::<Id>).transpose();
    let strategy = strategy.map_err(|_| {
        HttpError::bad_request("strategyID must be 24 hexadecimal digits").in_field("strategyID")
    })?;
    let intents = app.checking.set(body.intents).await?;
    let preview = app.node.preview(Candidate { intents, pair, strategy }).await;
    let preview = preview.map_err(|error| refusal(error, "Failed to preview intents"))?;
    Ok(Reply::data(&PreviewReply { node_name: app.name.clone(), ..preview }))
}
