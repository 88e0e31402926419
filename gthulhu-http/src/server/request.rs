//! One request through its checks, in the order in which they cost the server more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use tokio::task::JoinError;
use tokio::time::timeout;

use super::Shared;
use super::access::AccessLine;
use crate::call::{Call, Head};
use crate::error::{Form, HttpError};
use crate::reply::Reply;
use crate::router::Found;

/// When a caller who was refused for lack of capacity or time may try again.
const SOON: Duration = Duration::from_secs(1);

/// Answers in a task of its own: a panic stays in there, and work that has begun goes on when its caller goes away,
/// until its deadline.
pub(super) async fn answer<A: Send + Sync + 'static>(
    shared: Arc<Shared<A>>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let head = Head::new(parts.method, &parts.uri, parts.headers, peer);
    let form = Form::of(&head.headers, &head.request_id);
    // hyper drops a Content-Length that came beside it, and then the caller may mean another end of the body than
    // we do: such a connection is not used again.
    let close = head.headers.contains_key(header::TRANSFER_ENCODING);
    let work = tokio::spawn(within_deadline(shared, head, parts.version, body, form.clone()));
    let mut reply = work.await.unwrap_or_else(|error| panicked(error, &form));
    if close {
        reply = reply.header(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let (status, headers, body) = reply.into_parts();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

async fn within_deadline<A: Send + Sync + 'static>(
    shared: Arc<Shared<A>>,
    head: Head,
    version: Version,
    body: Incoming,
    form: Form,
) -> Reply {
    let mut line = AccessLine::start(&head);
    let steps = checks_and_handler(&shared, head, version, body, &mut line);
    let outcome = match timeout(shared.limits.request, steps).await {
        Ok(outcome) => outcome,
        Err(_) => Err(HttpError::unavailable("the request took too long", SOON)),
    };
    let reply = outcome.unwrap_or_else(|error| {
        note(&error, &form);
        error.into_reply(&form)
    });
    line.answered(reply.status());
    reply
}

async fn checks_and_handler<A: Send + Sync + 'static>(
    shared: &Shared<A>,
    mut head: Head,
    version: Version,
    body: Incoming,
    line: &mut AccessLine,
) -> Result<Reply, HttpError> {
    check_host(&head.headers, version)?;
    let route = match shared.router.find(&head.method, &head.path) {
        Found::Route(route, params) => {
            head.set_params(params);
            route
        }
        Found::Options(methods) => return Ok(Reply::bare(StatusCode::NO_CONTENT).allow(&methods)),
        Found::OtherMethods(methods) => return Err(HttpError::no_method(methods)),
        Found::Nothing => return Err(HttpError::no_route()),
    };
    line.routed(route.path());
    let full = |_| HttpError::unavailable("too many requests are in flight", SOON);
    let _place = route.is_counted().then(|| shared.in_flight.try_acquire()).transpose().map_err(full)?;
    let admitted = route.admit(&shared.app, &head)?;
    let limit = route.own_body_limit().unwrap_or(shared.limits.body_bytes);
    let body = read_body(body, limit, shared.limits.body).await?;
    admitted(Arc::clone(&shared.app), Call { head, body }).await
}

/// Refuses a head that two readers could take for requests to different hosts. Lengths that contradict each other
/// were refused by hyper.
fn check_host(headers: &HeaderMap, version: Version) -> Result<(), HttpError> {
    match headers.get_all(header::HOST).iter().count() {
        1 => Ok(()),
        0 if version != Version::HTTP_11 => Ok(()),
        _ => Err(HttpError::bad_request("exactly one Host header is required").closing()),
    }
}

async fn read_body(body: Incoming, limit: usize, deadline: Duration) -> Result<Bytes, HttpError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(HttpError::too_large(limit).closing());
    }
    match timeout(deadline, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(HttpError::too_large(limit).closing()),
        Ok(Err(error)) => {
            Err(HttpError::bad_request("the request body could not be read").caused_by(error).closing())
        }
        Err(_) => {
            Err(HttpError::new(StatusCode::REQUEST_TIMEOUT, "the request body took too long").closing())
        }
    }
}

/// What failed on our side is an error in the log; what a caller did wrong is of interest only when looking for it.
fn note(error: &HttpError, form: &Form) {
    let causes = error.causes().unwrap_or_default();
    let request_id = form.request_id();
    if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(request_id, causes, "request failed");
    } else if !causes.is_empty() {
        tracing::debug!(request_id, causes, %error, "request refused");
    }
}

fn panicked(error: JoinError, form: &Form) -> Reply {
    let text = error.try_into_panic().map_or_else(
        |_| "the task was cancelled".to_owned(),
        |payload| match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (None, Some(text)) => text.clone(),
            (None, None) => "no message".to_owned(),
        },
    );
    tracing::error!(request_id = form.request_id(), panic = text, "a handler panicked");
    HttpError::internal(text).into_reply(form)
}
