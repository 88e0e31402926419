//! `POST /api/v1/auth/token`.

use std::sync::Arc;

use gthulhu_http::{call::Call, error::HttpError, reply::Reply};
use gthulhu_lib::wire::TokenRequest;

use super::{App, BAD_BODY};

pub(super) async fn exchange(app: Arc<App>, _grant: (), call: Call) -> Result<Reply, HttpError> {
    let request: TokenRequest = call.json(BAD_BODY)?;
    let reply = app.tokens.exchange(&request, &call.head)?;
    Ok(Reply::data(&reply))
}
