//! A successful reply, in the shapes that the API has.
//!
//! Which endpoint answers with `data`, with an empty `data` object or with none at all is part of what clients
//! depend on, so each shape has its own constructor.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Serialize;

use crate::json;
use crate::time;

/// Status, headers and body of a reply. `Date` and `Content-Length` are added when it is sent.
#[derive(Clone, Debug)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Serialize)]
struct Envelope<'a, T: ?Sized> {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a T>,
    timestamp: String,
}

#[derive(Serialize)]
struct NoMembers {}

impl Reply {
    /// 200 `{"success":true,"data":…,"timestamp":"…"}`.
    pub fn data<T: Serialize + ?Sized>(data: &T) -> Reply {
        Reply::envelope(Some(data))
    }

    /// 200 without `data`: `{"success":true,"timestamp":"…"}`.
    pub fn done() -> Reply {
        Reply::envelope::<NoMembers>(None)
    }

    /// 200 with `"data":{}`.
    pub fn empty() -> Reply {
        Reply::envelope(Some(&NoMembers {}))
    }

    /// JSON without the envelope.
    pub fn json<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Reply {
        Reply::text("application/json", json::to_body(body)).with_status(status)
    }

    /// 200 with any other body; `content_type` goes into the header as it is.
    pub fn text(content_type: &'static str, body: impl Into<Bytes>) -> Reply {
        let bare = Reply { status: StatusCode::OK, headers: HeaderMap::new(), body: body.into() };
        bare.content_type(content_type)
    }

    /// A status and nothing else.
    pub fn bare(status: StatusCode) -> Reply {
        Reply { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    fn envelope<T: Serialize + ?Sized>(data: Option<&T>) -> Reply {
        Reply::json(StatusCode::OK, &Envelope { success: true, data, timestamp: time::now_rfc3339() })
    }

    /// The same reply with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Reply {
        self.status = status;
        self
    }

    /// Sets a header, replacing an earlier value. A value that no header can hold is left out and logged.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Reply {
        if let Ok(value) = value.try_into() {
            self.headers.insert(name, value);
        } else {
            tracing::error!(header = %name, "a reply header holds characters that no header can hold");
        }
        self
    }

    pub(crate) fn content_type(self, media_type: &'static str) -> Reply {
        self.header(header::CONTENT_TYPE, HeaderValue::from_static(media_type))
    }

    /// The last reply of its connection.
    pub(crate) fn closing(self) -> Reply {
        self.header(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// Names the methods that a path has; `OPTIONS` is always one of them.
    pub(crate) fn allow(self, methods: &[Method]) -> Reply {
        let names: Vec<&str> = std::iter::once("OPTIONS").chain(methods.iter().map(Method::as_str)).collect();
        self.header(header::ALLOW, names.join(", "))
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers set so far.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn into_parts(self) -> (StatusCode, HeaderMap, Bytes) {
        (self.status, self.headers, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body with the twenty characters of its timestamp replaced.
    fn shown(reply: &Reply) -> String {
        let body = String::from_utf8(reply.body().to_vec()).unwrap();
        let Some(at) = body.find("\"timestamp\":\"") else { return body };
        let start = at + "\"timestamp\":\"".len();
        format!("{}TS{}", &body[..start], &body[start + 20..])
    }

    #[test]
    fn the_three_envelopes_differ_in_data_only() {
        let rows = [("b", 1), ("a", 2)].map(|(name, n)| serde_json::json!({"Name": name, "N": n}));
        for (reply, expected) in [
            (
                Reply::data(&rows[..1]),
                "{\"success\":true,\"data\":[{\"N\":1,\"Name\":\"b\"}],\"timestamp\":\"TS\"}\n",
            ),
            (Reply::done(), "{\"success\":true,\"timestamp\":\"TS\"}\n"),
            (Reply::empty(), "{\"success\":true,\"data\":{},\"timestamp\":\"TS\"}\n"),
            (Reply::json(StatusCode::OK, "a&b"), "\"a\\u0026b\"\n"),
        ] {
            assert_eq!(shown(&reply), expected);
            assert_eq!(reply.status(), StatusCode::OK);
            assert_eq!(reply.headers()[header::CONTENT_TYPE], "application/json");
        }
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_left_out() {
        let reply = Reply::done().header(header::LOCATION, "/api/v1/x").header(header::ETAG, "line\nbreak");
        assert_eq!(reply.headers()[header::LOCATION], "/api/v1/x");
        assert!(!reply.headers().contains_key(header::ETAG));
    }
}
