//! One request to the API: every wait ends, every answer has a greatest length, and whatever goes wrong is a [`Failure`].

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tokio::time::timeout;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::failure::{Failure, told};
use super::read::Status;
use crate::quoted::quoted;

/// The longest page of a list, in bytes.
const PAGE_BYTES_MAX: usize = 128 << 20;
/// How much of an error's body is read, in bytes.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// Sends the request and waits for the beginning of a successful answer.
pub(super) async fn open(
    client: &Client,
    request: Request<Vec<u8>>,
    wait: Duration,
) -> Result<Body, Failure> {
    // The library writes an error line for each failure; the follower says once that something is wrong.
    let sent = client.send(request.map(Body::from)).with_subscriber(NoSubscriber::new());
    let answer = timeout(wait, sent).await.map_err(|_| silent(wait))?;
    let answer = answer.map_err(|error| Failure::new(quoted(&told(&error))))?;
    let (head, body) = answer.into_parts();
    if head.status == StatusCode::OK {
        return Ok(body);
    }
    let text = part(body, ERROR_BYTES_MAX, wait).await.unwrap_or_default();
    let status: Status = serde_json::from_slice(&text).unwrap_or_default();
    let said = if status.message.is_empty() { String::from_utf8_lossy(&text) } else { status.message.into() };
    let reason = format!("it answers {}: {}", head.status.as_u16(), quoted(&said));
    Err(Failure {
        reason: reason.trim_end_matches([':', ' ']).to_owned(),
        retry_after: retry_after(&head.headers),
        gone: head.status == StatusCode::GONE,
    })
}

/// The whole of a body.
pub(super) async fn whole(body: Body, wait: Duration) -> Result<Bytes, Failure> {
    part(body, PAGE_BYTES_MAX, wait).await
}

/// The next piece of a body; none at its end.
pub(super) async fn piece(body: &mut Body, wait: Duration) -> Result<Option<Bytes>, Failure> {
    loop {
        let next = body.frame().with_subscriber(NoSubscriber::new());
        let Some(frame) = timeout(wait, next).await.map_err(|_| silent(wait))? else { return Ok(None) };
        let frame = frame.map_err(|error| Failure::new(quoted(&told(&error))))?;
        // Trailers say nothing that we need.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

async fn part(mut body: Body, most: usize, wait: Duration) -> Result<Bytes, Failure> {
    let mut all = BytesMut::new();
    while let Some(data) = piece(&mut body, wait).await? {
        if all.len() + data.len() > most {
            return Err(Failure::new(format!("its answer has more than {most} bytes")));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

fn silent(wait: Duration) -> Failure {
    Failure::new(format!("it says nothing for {wait:?}"))
}

/// The delay that the server asks for; a moment in time is not understood.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
