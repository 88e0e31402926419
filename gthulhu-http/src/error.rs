//! The one place where a failure becomes an HTTP reply.
//!
//! An [`HttpError`] carries two messages: the one the caller of the API reads, and a `source` that only the log
//! sees. It is written as `{"success":false,"error":"…"}`, or as RFC 9457 problem details for a request whose
//! `Accept` names `application/problem+json`.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::reply::Reply;

const PROBLEM: &str = "application/problem+json";

/// What a handler or a policy answers when it does not answer with a [`Reply`].
#[derive(Debug)]
pub struct HttpError {
    status: StatusCode,
    message: String,
    field: Option<String>,
    retry_after: Option<Duration>,
    allow: Option<Vec<Method>>,
    extras: Vec<(&'static str, Value)>,
    source: Option<Box<dyn Error + Send + Sync>>,
    shape: Shape,
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
        HttpError {
            status,
            message: message.into(),
            field: None,
            retry_after: None,
            allow: None,
            extras: Vec::new(),
            source: None,
            shape: Shape::Envelope,
        }
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
        HttpError { field: Some(field), ..HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, message) }
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
        HttpError { shape: Shape::Router, ..HttpError::not_found("Not Found") }
    }

    /// 405 as the router writes it, with the methods that the path does have.
    pub(crate) fn no_method(allow: Vec<Method>) -> HttpError {
        let error = HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        HttpError { shape: Shape::Router, allow: Some(allow), ..error }
    }

    /// Adds a top-level member to the body, as `heldEpoch` beside a 409.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Serialize) -> HttpError {
        // A value that JSON cannot hold says nothing to the caller; null says just that.
        self.extras.push((name, serde_json::to_value(value).unwrap_or(Value::Null)));
        self
    }

    /// Names the field of the request that is at fault; shown in problem details.
    #[must_use]
    pub fn in_field(mut self, field: impl Into<String>) -> HttpError {
        self.field = Some(field.into());
        self
    }

    /// Adds `Retry-After`, rounded up to whole seconds and at least one.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> HttpError {
        self.retry_after = Some(after);
        self
    }

    /// Keeps the cause for the log; the caller of the API never sees it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> HttpError {
        self.source = Some(source.into());
        self
    }

    /// The status of the reply.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The message that the caller reads.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The field of the request that is at fault, if one is.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The causes, outermost first, in one line; none when there is no cause.
    pub(crate) fn causes(&self) -> Option<String> {
        let mut cause: &dyn Error = self.source.as_deref()?;
        let mut line = cause.to_string();
        while let Some(next) = cause.source() {
            line = format!("{line}: {next}");
            cause = next;
        }
        Some(line)
    }

    /// The reply, in the form that the request's headers ask for.
    pub fn into_reply(self, request: &HeaderMap, request_id: &str) -> Reply {
        let mut reply = if wants_problem(request) {
            Reply::json(self.status, &self.problem(request_id)).content_type(PROBLEM)
        } else {
            match self.shape {
                Shape::Envelope => {
                    let extras = self.extras.iter().cloned().collect();
                    Reply::json(self.status, &Envelope { success: false, error: &self.message, extras })
                }
                Shape::Router => Reply::json(self.status, &RouterBody { message: &self.message }),
            }
        };
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            reply = reply.header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(allow) = &self.allow {
            reply = reply.allow(allow);
        }
        reply
    }

    fn problem(&self, request_id: &str) -> Value {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut members: Map<String, Value> =
            self.extras.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let kind = title.to_ascii_lowercase().replace(' ', "-");
        members.insert("type".into(), format!("urn:gthulhu:problem:{kind}").into());
        members.insert("title".into(), title.into());
        members.insert("status".into(), self.status.as_u16().into());
        members.insert("detail".into(), self.message.as_str().into());
        members.insert("requestId".into(), request_id.into());
        if let Some(field) = &self.field {
            members.insert("field".into(), field.as_str().into());
        }
        Value::Object(members)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.message)
    }
}

impl Error for HttpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    success: bool,
    error: &'a str,
    #[serde(flatten)]
    extras: std::collections::BTreeMap<&'static str, Value>,
}

#[derive(Serialize)]
struct RouterBody<'a> {
    message: &'a str,
}

/// Whether `Accept` names problem details and does not refuse them with `q=0`.
fn wants_problem(request: &HeaderMap) -> bool {
    let ranges = request.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(PROBLEM));
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(error: HttpError, accept: Option<&'static str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        String::from_utf8(error.into_reply(&headers, "r-1").body().to_vec()).unwrap()
    }

    #[test]
    fn the_envelope_is_written_to_the_byte() {
        let cases = [
            (HttpError::bad_request("a < b"), "{\"success\":false,\"error\":\"a \\u003c b\"}\n"),
            (
                HttpError::internal("disk on fire"),
                "{\"success\":false,\"error\":\"Internal Server Error\"}\n",
            ),
            (
                HttpError::conflict("stale").with("heldEpoch", 3).with("heldGeneration", 9),
                "{\"success\":false,\"error\":\"stale\",\"heldEpoch\":3,\"heldGeneration\":9}\n",
            ),
            (
                HttpError::unprocessable("priority", "must be 0 to 20"),
                "{\"success\":false,\"error\":\"priority must be 0 to 20\"}\n",
            ),
            (HttpError::no_route(), "{\"message\":\"Not Found\"}\n"),
            (HttpError::no_method(vec![]), "{\"message\":\"Method Not Allowed\"}\n"),
        ];
        for (error, expected) in cases {
            assert_eq!(body(error, None), expected);
        }
    }

    #[test]
    fn problem_details_are_given_to_those_who_ask() {
        let error = || HttpError::unprocessable("priority", "must be 0 to 20").caused_by("secret");
        let expected = concat!(
            "{\"detail\":\"priority must be 0 to 20\",\"field\":\"priority\",\"requestId\":\"r-1\",\"status\":422,",
            "\"title\":\"Unprocessable Entity\",\"type\":\"urn:gthulhu:problem:unprocessable-entity\"}\n"
        );
        for accept in [PROBLEM, "text/html, Application/Problem+JSON;q=0.5", "application/problem+json; q=1"]
        {
            assert_eq!(body(error(), Some(accept)), expected, "{accept}");
        }
        for accept in ["*/*", "application/json", "application/problem+json;q=0"] {
            assert!(body(error(), Some(accept)).starts_with("{\"success\""), "{accept}");
        }
    }

    #[test]
    fn retry_after_is_whole_seconds_and_never_zero() {
        for (millis, shown) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (30_000, "30")] {
            let error = HttpError::unavailable("later", Duration::from_millis(millis));
            let reply = error.into_reply(&HeaderMap::new(), "");
            assert_eq!(reply.headers()[header::RETRY_AFTER], shown);
        }
    }

    #[test]
    fn the_causes_are_for_the_log() {
        let inner = std::io::Error::other("no space left");
        let error = HttpError::internal(HttpError::bad_gateway("node n1").caused_by(inner));
        assert_eq!(error.causes().unwrap(), "502: node n1: no space left");
        assert_eq!(HttpError::not_found("x").causes(), None);
    }
}
