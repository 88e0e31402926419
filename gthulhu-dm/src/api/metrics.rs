//! `POST /api/v1/metrics`, by which the scheduler reports, and `/metrics`, which shows it.

use std::sync::Arc;

use gthulhu_http::{call::Call, error::HttpError, metrics::render, reply::Reply};
use gthulhu_lib::wire::SchedulerMetrics;

use super::{App, BAD_BODY};
use crate::auth::Caller;

pub(super) async fn post(app: Arc<App>, _caller: Caller, call: Call) -> Result<Reply, HttpError> {
    let metrics: SchedulerMetrics = call.json(BAD_BODY)?;
    app.metrics.post(metrics);
    Ok(Reply::done())
}

pub(super) async fn show(app: Arc<App>, _grant: (), _call: Call) -> Result<Reply, HttpError> {
    render(app.metrics.registry())
}
