//! The one place where a failure becomes an HTTP reply.
//!
//! An [`HttpError`] carries two messages: the one the caller of the API reads, and a `source` that only the log
//! sees. It is written as `{"success":false,"error":"…"}`, or as RFC 9457 problem details for a request whose
//! `Accept` names `application/problem+json`.

mod render;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

pub(crate) use render::{Form, wants_problem};

/// What a handler or a policy answers when it does not answer with a [`Reply`](crate::reply::Reply).
#[derive(Debug)]
pub struct HttpError(Box<Parts>);

/// Kept in a box: every handler returns this type, nearly always without using it.
#[derive(Debug)]
struct Parts {
    status: StatusCode,
    message: String,
    field: Option<String>,
    retry_after: Option<Duration>,
    allow: Option<Vec<Method>>,
    extras: Vec<(&'static str, Value)>,
    source: Option<Box<dyn Error + Send + Sync>>,
    shape: Shape,
    close: bool,
}

/// How the body is written when the caller did not ask for problem details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// `{"success":false,"error":"…"}`.
    Envelope,
    /// `{"message":"…"}`: what no route answered.
    Router,
}

impl HttpError {
    /// An error with this status and this message for the caller.
    pub fn new(status: StatusCode, message: impl Into<String>) -> HttpError {
        HttpError(Box::new(Parts {
            status,
            message: message.into(),
            field: None,
            retry_after: None,
            allow: None,
            extras: Vec::new(),
            source: None,
            shape: Shape::Envelope,
            close: false,
        }))
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> HttpError {
        HttpError::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401: who asks is not known.
    pub fn unauthorized(message: impl Into<String>) -> HttpError {
        HttpError::new(StatusCode::UNAUTHORIZED, message)
    }

    /// 403: who asks is known and may not.
    pub fn forbidden(message: impl Into<String>) -> HttpError {
        HttpError::new(StatusCode::FORBIDDEN, message)
    }

    /// 404: what is asked for does not exist.
    pub fn not_found(message: impl Into<String>) -> HttpError {
        HttpError::new(StatusCode::NOT_FOUND, message)
    }

    /// 409: the request does not fit the state.
    pub fn conflict(message: impl Into<String>) -> HttpError {
        HttpError::new(StatusCode::CONFLICT, message)
    }

    /// 422: the field breaks a rule; the message is both, as in `priority must be 0 to 20`.
    pub fn unprocessable(field: impl Into<String>, rule: impl fmt::Display) -> HttpError {
        let field = field.into();
        let message = format!("{field} {rule}");
        HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, message).in_field(field)
    }

    /// 413: the body is larger than the route takes.
    pub fn too_large(limit_bytes: usize) -> HttpError {
        HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("request body exceeds {limit_bytes} bytes"))
    }

    /// 429: too many requests; try again after this long.
    pub fn too_many_requests(message: impl Into<String>, retry_after: Duration) -> HttpError {
        HttpError::new(StatusCode::TOO_MANY_REQUESTS, message).retry_after(retry_after)
    }

    /// 503: not now; try again after this long.
    pub fn unavailable(message: impl Into<String>, retry_after: Duration) -> HttpError {
        HttpError::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(retry_after)
    }

    /// 502: another daemon answered something useless, or not at all.
    pub fn bad_gateway(message: impl Into<String>) -> HttpError {
        HttpError::new(StatusCode::BAD_GATEWAY, message)
    }

    /// 504: another daemon did not answer in time.
    pub fn gateway_timeout(message: impl Into<String>) -> HttpError {
        HttpError::new(StatusCode::GATEWAY_TIMEOUT, message)
    }

    /// 500 with the message `Internal Server Error`; what happened goes to the log only.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> HttpError {
        HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").caused_by(source)
    }

    /// 404 as the router writes it: no such path, or no such method under `/api`.
    pub(crate) fn no_route() -> HttpError {
        HttpError::not_found("Not Found").shaped(Shape::Router)
    }

    /// 405 as the router writes it, with the methods that the path does have.
    pub(crate) fn no_method(allow: Vec<Method>) -> HttpError {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut error = HttpError::new(status, "Method Not Allowed").shaped(Shape::Router);
        error.0.allow = Some(allow);
        error
    }

    fn shaped(mut self, shape: Shape) -> HttpError {
        self.0.shape = shape;
        self
    }

    /// Adds a top-level member to the body, as `heldEpoch` beside a 409.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Serialize) -> HttpError {
        // A value that JSON cannot hold says nothing to the caller; null says just that.
        self.0.extras.push((name, serde_json::to_value(value).unwrap_or(Value::Null)));
        self
    }

    /// Names the field of the request that is at fault; shown in problem details.
    #[must_use]
    pub fn in_field(mut self, field: impl Into<String>) -> HttpError {
        self.0.field = Some(field.into());
        self
    }

    /// Adds `Retry-After`, rounded up to whole seconds and at least one.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> HttpError {
        self.0.retry_after = Some(after);
        self
    }

    /// Keeps the cause for the log; the caller of the API never sees it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> HttpError {
        self.0.source = Some(source.into());
        self
    }

    /// Closes the connection after the reply: what follows on it cannot be understood.
    pub(crate) fn closing(mut self) -> HttpError {
        self.0.close = true;
        self
    }

    /// The status of the reply.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The message that the caller reads.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The field of the request that is at fault, if one is.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The causes, outermost first, in one line; none when there is no cause.
    pub(crate) fn causes(&self) -> Option<String> {
        let mut cause: &dyn Error = self.0.source.as_deref()?;
        let mut line = cause.to_string();
        while let Some(next) = cause.source() {
            line = format!("{line}: {next}");
            cause = next;
        }
        Some(line)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.status.as_u16(), self.0.message)
    }
}

impl Error for HttpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_causes_are_for_the_log() {
        let inner = std::io::Error::other("no space left");
        let error = HttpError::internal(HttpError::bad_gateway("node n1").caused_by(inner));
        assert_eq!(error.causes().unwrap(), "502: node n1: no space left");
        assert_eq!(HttpError::not_found("x").causes(), None);
    }
}
