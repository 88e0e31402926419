//! How an error is written, and what a request says about that.

use std::collections::BTreeMap;

use http::header::{self, HeaderValue};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{HttpError, Shape};
use crate::call::RequestId;
use crate::reply::Reply;

/// RFC 9457.
const PROBLEM: &str = "application/problem+json";

/// What a request says about the form of its errors; kept while its head is with the handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Whether problem details were asked for; see [`wants_problem`].
    pub(crate) problem: bool,
    /// The request, as the log names it.
    pub(crate) request_id: RequestId,
}

impl HttpError {
    /// The reply, in the form that the request asks for.
    pub(crate) fn into_reply(self, form: &Form) -> Reply {
        let mut reply = if form.problem {
            Reply::json(self.0.status, &self.problem(&form.request_id)).content_type(PROBLEM)
        } else {
            match self.0.shape {
                Shape::Envelope => {
                    let extras = self.0.extras.iter().cloned().collect();
                    Reply::json(self.0.status, &Envelope { success: false, error: &self.0.message, extras })
                }
                Shape::Router => Reply::json(self.0.status, &RouterBody { message: &self.0.message }),
            }
        };
        if let Some(after) = self.0.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            reply = reply.header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(allow) = &self.0.allow {
            reply = reply.allow(allow);
        }
        if self.0.close {
            reply = reply.closing();
        }
        reply
    }

    fn problem(&self, request_id: &str) -> Value {
        let title = self.0.status.canonical_reason().unwrap_or("Error");
        let mut members: Map<String, Value> =
            self.0.extras.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let kind = title.to_ascii_lowercase().replace(' ', "-");
        members.insert("type".into(), format!("urn:gthulhu:problem:{kind}").into());
        members.insert("title".into(), title.into());
        members.insert("status".into(), self.0.status.as_u16().into());
        members.insert("detail".into(), self.0.message.as_str().into());
        members.insert("requestId".into(), request_id.into());
        if let Some(field) = &self.0.field {
            members.insert("field".into(), field.as_str().into());
        }
        Value::Object(members)
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    success: bool,
    error: &'a str,
    #[serde(flatten)]
    extras: BTreeMap<&'static str, Value>,
}

#[derive(Serialize)]
struct RouterBody<'a> {
    message: &'a str,
}

/// Whether a value of `Accept` names problem details and does not refuse them with `q=0`.
pub(crate) fn wants_problem(accept: &HeaderValue) -> bool {
    accept.to_str().unwrap_or_default().split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(PROBLEM));
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use super::*;

    fn request_id(sent: &'static str) -> RequestId {
        RequestId::of(&HeaderMap::from_iter([(
            "x-request-id".parse().unwrap(),
            HeaderValue::from_static(sent),
        )]))
    }

    fn body(error: HttpError, accept: Option<&'static str>) -> String {
        let problem = accept.is_some_and(|accept| wants_problem(&HeaderValue::from_static(accept)));
        let reply = error.into_reply(&Form { problem, request_id: request_id("r-1") });
        String::from_utf8(reply.body().to_vec()).unwrap()
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
            let reply = error.into_reply(&Form { problem: false, request_id: request_id("r-1") });
            assert_eq!(reply.headers()[header::RETRY_AFTER], shown);
        }
    }
}
