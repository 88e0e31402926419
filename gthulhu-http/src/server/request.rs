//! One request through its checks, in the order in which they cost the server more.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Uri, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::SemaphorePermit;
use tokio::task::JoinError;
use tokio::time::timeout;

use super::access::AccessLine;
use super::{Shared, body};
use crate::call::{Call, Head};
use crate::error::{Form, HttpError};
use crate::reply::Reply;
use crate::route::Route;
use crate::router::Found;

/// What is known of a request before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Nothing speaks against it.
    Open,
    /// Its head, or one before it on this connection, can be read in two ways.
    Ambiguous,
    /// Its connection has to give way to others.
    Late,
}

/// When a caller who was refused for lack of capacity or time may try again.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// What is wrong with a head that two readers could take for different requests, and what would be right.
const AMBIGUOUS: &str = "the request can be read in more than one way; send one Content-Length or one \
                         Transfer-Encoding: chunked, and end each line with CRLF";

/// Answers in a task of its own: a panic stays in there, and work that has begun goes on when its caller goes away,
/// until its deadline.
pub(super) async fn answer<A: Send + Sync + 'static>(
    shared: Arc<Shared<A>>,
    peer: SocketAddr,
    entry: Entry,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let first_look = first_look(entry, &parts.uri, &parts.headers, parts.version);
    let head = Head::new(parts.method, &parts.uri, parts.headers, peer);
    let form = Form::of(&head.headers, &head.request_id);
    // Where the chunks end only hyper knows; the framing of what follows could not be watched.
    let close = head.headers.contains_key(header::TRANSFER_ENCODING);
    let work = tokio::spawn(within_deadline(shared, head, first_look, body, form.clone()));
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
    first_look: Result<(), HttpError>,
    body: Incoming,
    form: Form,
) -> Reply {
    let mut line = AccessLine::start(&head);
    let steps = async {
        first_look?;
        checks_and_handler(&shared, head, body, &mut line).await
    };
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
    body: Incoming,
    line: &mut AccessLine,
) -> Result<Reply, HttpError> {
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
    let place = place(shared, route)?;
    let admitted = route.admit(&shared.app, &head)?;
    body::check_coding(&head.headers)?;
    let limit = route.own_body_limit().unwrap_or(shared.limits.body_bytes);
    let mut body = pin!(body::read(body, limit, shared.limits.body, &shared.slow_bodies));
    let (_place, body) = if let Some(body) = at_once(body.as_mut()).await {
        (place, body?)
    } else {
        // Who lets us wait for his body does not take a place from those who could be answered meanwhile.
        drop(place);
        let body = body.await?;
        (self::place(shared, route)?, body)
    };
    admitted(Arc::clone(&shared.app), Call { head, body }).await
}

/// A place among the requests in flight, for routes that need one.
fn place<'s, A>(shared: &'s Shared<A>, route: &Route<A>) -> Result<Option<SemaphorePermit<'s>>, HttpError> {
    let full = |_| HttpError::unavailable("too many requests are in flight", SOON);
    route.is_counted().then(|| shared.in_flight.try_acquire()).transpose().map_err(full)
}

/// What the future gives if it need not wait.
pub(super) async fn at_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Refuses what needs no route: a head that two readers could take for different requests, or for requests to
/// different hosts. The connection is of no use after any of them.
fn first_look(entry: Entry, uri: &Uri, headers: &HeaderMap, version: Version) -> Result<(), HttpError> {
    let refused = |message: &str| Err(HttpError::bad_request(message).closing());
    match (entry, headers.get_all(header::HOST).iter().count()) {
        (Entry::Ambiguous, _) => refused(AMBIGUOUS),
        (Entry::Late, _) => Err(HttpError::unavailable("too many connections are open", SOON).closing()),
        (Entry::Open, 0) if version == Version::HTTP_11 => refused("exactly one Host header is required"),
        (Entry::Open, 2..) => refused("exactly one Host header is required"),
        // A target with a host of its own is for proxies, and would be a second answer to which host is meant.
        (Entry::Open, _) if uri.authority().is_some() || !uri.path().starts_with('/') => {
            refused("the request target must be a path")
        }
        (Entry::Open, _) => Ok(()),
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
