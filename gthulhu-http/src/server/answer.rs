//! What hyper waits for: a reply that is made already, or the task that makes it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::request::panicked;
use crate::error::Form;
use crate::reply::Reply;

/// The answer to one request, and what is done when it is there.
pub(super) struct Answer {
    pub(super) progress: Progress,
    /// Told that the reply is made.
    pub(super) clock: Arc<Clock>,
    /// The connection is of no use afterwards.
    pub(super) close: bool,
}

pub(super) enum Progress {
    /// Nothing had to be waited for.
    Made(Reply),
    /// The task goes on when this is dropped.
    Making(JoinHandle<Reply>, Form),
    /// The reply was handed over.
    Over,
}

impl Answer {
    /// The reply as it is to be sent.
    pub(super) fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<Reply> {
        let reply = match &mut self.progress {
            Progress::Making(task, form) => {
                let made = ready!(Pin::new(task).poll(context));
                made.unwrap_or_else(|error| panicked(error.try_into_panic().ok(), form))
            }
            Progress::Made(_) | Progress::Over => match std::mem::replace(&mut self.progress, Progress::Over)
            {
                Progress::Made(reply) => reply,
                // Nobody asks twice.
                Progress::Making(..) | Progress::Over => return Poll::Pending,
            },
        };
        self.clock.reply_made();
        Poll::Ready(if self.close { reply.closing() } else { reply })
    }
}

impl Future for Answer {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_reply(context).map(|reply| Ok(response(reply)))
    }
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let (status, headers, body) = reply.into_parts();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
