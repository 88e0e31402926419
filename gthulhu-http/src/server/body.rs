//! Reading a request body: as it is on the wire, up to its limit, within its time.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use tokio::time::timeout;

use super::bodies::SlowBodies;
use super::request::{SOON, at_once};
use crate::error::HttpError;

/// The whole body, of at most `limit` bytes. Ready when first polled if all of it has come already.
pub(super) async fn read(
    body: Incoming,
    limit: usize,
    deadline: Duration,
    slow: &SlowBodies,
) -> Result<Bytes, HttpError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(HttpError::too_large(limit).closing());
    }
    match timeout(deadline, collect(body, limit, slow)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            Err(HttpError::new(StatusCode::REQUEST_TIMEOUT, "the request body took too long").closing())
        }
    }
}

async fn collect(mut body: Incoming, limit: usize, slow: &SlowBodies) -> Result<Bytes, HttpError> {
    let mut whole = Vec::new();
    while let Some(frame) = at_once(pin!(body.frame())).await {
        let Some(frame) = frame else { return Ok(whole.into()) };
        append(&mut whole, frame, limit)?;
    }
    let mut place = slow.enter(whole.len());
    loop {
        match place.unless_sent_away(body.frame()).await {
            Some(None) => return Ok(whole.into()),
            Some(Some(frame)) => place.grew(append(&mut whole, frame, limit)?),
            None => return Err(HttpError::unavailable("the request body came too slowly", SOON).closing()),
        }
    }
}

/// Adds a piece to the body; gives its size.
fn append(
    whole: &mut Vec<u8>,
    frame: Result<Frame<Bytes>, hyper::Error>,
    limit: usize,
) -> Result<usize, HttpError> {
    let unreadable =
        |error| HttpError::bad_request("the request body could not be read").caused_by(error).closing();
    // What is not data are trailers, which mean nothing here.
    let Ok(data) = frame.map_err(unreadable)?.into_data() else { return Ok(0) };
    if data.len() > limit - whole.len() {
        return Err(HttpError::too_large(limit).closing());
    }
    whole.extend_from_slice(&data);
    Ok(data.len())
}
