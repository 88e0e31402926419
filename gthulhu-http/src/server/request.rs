//! One request through its checks, in the order in which they cost the server more.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Version};
use hyper::body::{Body, Incoming};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;

use super::access::AccessLine;
use super::answer::Progress;
use super::outline::Outline;
use super::{Shared, body};
use crate::call::{Call, Head};
use crate::error::{Form, HttpError};
use crate::reply::Reply;
use crate::route::{Admitted, Answer};
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
    /// The certificate of its caller is not good any more.
    Refused,
}

/// A request as it came, before anything of it was judged.
pub(super) struct Received {
    pub(super) head: Head,
    pub(super) outline: Outline,
    pub(super) version: Version,
    /// None: there is no body, not even an empty one to be read.
    pub(super) body: Option<Incoming>,
}

/// When a caller who was refused for lack of capacity or time may try again.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// A place among the requests in flight, for routes that need one.
type Place = Option<OwnedSemaphorePermit>;

/// How far a request came without waiting.
enum Begun {
    Answered(Reply),
    /// Its handler, or its body, has to be waited for.
    Waiting(Answer, Place),
}

/// Answers a request; also says whether its connection is of no use afterwards.
///
/// What need not wait is done on the spot: most handlers have their reply at hand, and a task would cost more than
/// they do. What waits goes on in a task of its own, so that work that has begun goes on when its caller goes away,
/// until its deadline. Either way a panic is the end of this request and of nothing else.
pub(super) fn answer<A: Send + Sync + 'static>(
    shared: &Arc<Shared<A>>,
    entry: Entry,
    Received { head, outline, version, body }: Received,
) -> (Progress, bool) {
    let first_look = outline.first_look(entry, head.uri(), version);
    let form = Form { problem: outline.problem, request_id: head.request_id };
    let mut line = AccessLine::start(&head);
    let begun = catch_unwind(AssertUnwindSafe(|| {
        first_look?;
        begin(shared, head, outline, body, &mut line)
    }));
    let progress = match begun {
        Ok(Ok(Begun::Answered(reply))) => Progress::Made(finish(Ok(reply), line, &form)),
        Ok(Ok(Begun::Waiting(work, place))) => {
            let deadline = line.started() + shared.limits.request;
            let task = async move {
                let _place = place;
                let late = |_| Err(HttpError::unavailable("the request took too long", SOON));
                finish(timeout_at(deadline.into(), work).await.unwrap_or_else(late), line, &form)
            };
            Progress::Making(tokio::spawn(task), form)
        }
        Ok(Err(error)) => Progress::Made(finish(Err(error), line, &form)),
        Err(panic) => {
            drop(line);
            Progress::Made(panicked(Some(panic), &form))
        }
    };
    // Where the chunks end only hyper knows; the framing of what follows could not be watched.
    (progress, outline.chunked)
}

fn begin<A: Send + Sync + 'static>(
    shared: &Arc<Shared<A>>,
    mut head: Head,
    outline: Outline,
    body: Option<Incoming>,
    line: &mut AccessLine,
) -> Result<Begun, HttpError> {
    let route = match shared.router.find(&head.method, head.path()) {
        Found::Route(route, params) => {
            head.set_params(params);
            route
        }
        Found::Options(methods) => {
            return Ok(Begun::Answered(Reply::bare(StatusCode::NO_CONTENT).allow(&methods)));
        }
        Found::OtherMethods(methods) => return Err(HttpError::no_method(methods)),
        Found::Nothing => return Err(HttpError::no_route()),
    };
    line.routed(route.path());
    let place = place(shared, route.is_counted())?;
    let admitted = route.admit(&shared.app, &head)?;
    outline.check_coding()?;
    if let Some(body) = body.filter(|body| !body.is_end_stream()) {
        // hyper reads it when this has returned.
        let limit = route.own_body_limit().unwrap_or(shared.limits.body_bytes);
        let work = with_body(Arc::clone(shared), admitted, head, body, limit, place);
        return Ok(Begun::Waiting(Box::pin(work), None));
    }
    let mut work = admitted(Arc::clone(&shared.app), Call { head, body: Bytes::new() });
    // If it waits it is asked again in its task, and wakes that.
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome.map(Begun::Answered),
        Poll::Pending => Ok(Begun::Waiting(work, place)),
    }
}

async fn with_body<A: Send + Sync + 'static>(
    shared: Arc<Shared<A>>,
    admitted: Admitted<A>,
    head: Head,
    body: Incoming,
    limit: usize,
    place: Place,
) -> Result<Reply, HttpError> {
    let counted = place.is_some();
    let mut body = pin!(body::read(body, limit, shared.limits.body, &shared.slow_bodies));
    let (_place, body) = if let Some(body) = at_once(body.as_mut()).await {
        (place, body?)
    } else {
        // Who lets us wait for his body does not take a place from those who could be answered meanwhile.
        drop(place);
        let body = body.await?;
        (self::place(&shared, counted)?, body)
    };
    admitted(Arc::clone(&shared.app), Call { head, body }).await
}

/// A place among the requests in flight, if one is needed.
fn place<A>(shared: &Shared<A>, counted: bool) -> Result<Place, HttpError> {
    let full = |_| HttpError::unavailable("too many requests are in flight", SOON);
    counted.then(|| Arc::clone(&shared.in_flight).try_acquire_owned()).transpose().map_err(full)
}

/// What the future gives if it need not wait.
pub(super) async fn at_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The reply, noted in the log.
fn finish(outcome: Result<Reply, HttpError>, mut line: AccessLine, form: &Form) -> Reply {
    let reply = outcome.unwrap_or_else(|error| {
        note(&error, form);
        error.into_reply(form)
    });
    line.answered(reply.status());
    reply
}

/// What failed on our side is an error in the log; what a caller did wrong is of interest only when looking for it.
fn note(error: &HttpError, form: &Form) {
    let causes = error.causes().unwrap_or_default();
    let request_id = &*form.request_id;
    if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(request_id, causes, "request failed");
    } else if !causes.is_empty() {
        tracing::debug!(request_id, causes, %error, "request refused");
    }
}

/// The reply to a request whose work ended by a panic, or was cancelled if there is none.
pub(super) fn panicked(panic: Option<Box<dyn Any + Send>>, form: &Form) -> Reply {
    let text = panic.map_or_else(
        || "the task was cancelled".to_owned(),
        |payload| match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (None, Some(text)) => text.clone(),
            (None, None) => "no message".to_owned(),
        },
    );
    tracing::error!(request_id = &*form.request_id, panic = text, "a handler panicked");
    HttpError::internal(text).into_reply(form)
}
