//! What a request brings: its head, which a policy judges, and its body, which only an admitted request has read.

mod percent;
mod request_id;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Uri};
use serde::de::DeserializeOwned;

use crate::error::HttpError;
use crate::json;
use crate::tls::Identity;

pub use request_id::RequestId;

/// Everything of a request but its body.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The headers.
    pub headers: HeaderMap,
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// Who that is, proven by a certificate; none without TLS, or where nobody has to show one.
    pub identity: Option<Arc<Identity>>,
    /// What ties log lines to this request.
    pub request_id: RequestId,
    uri: Uri,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

/// What the `Authorization` header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer<'a> {
    /// There is no header, or it is empty.
    Missing,
    /// There is one, and it does not start with `Bearer ` (case matters, one space).
    Other,
    /// What follows `Bearer `; it may be empty.
    Token(&'a str),
}

impl Head {
    /// A head as the server makes it; `uri` is the request target. Path parameters are added by the router.
    pub fn new(method: Method, uri: Uri, headers: HeaderMap, peer: SocketAddr) -> Head {
        let request_id = RequestId::of(&headers);
        let query = uri.query().map(percent::query).unwrap_or_default();
        Head { method, headers, peer, identity: None, request_id, uri, params: Vec::new(), query }
    }

    /// The path as it was sent, still percent-encoded and without the query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The request target as it was sent.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The head of another request with the same bytes: all of it but the id.
    pub(crate) fn again(&self) -> Head {
        Head { request_id: RequestId::of(&self.headers), ..self.clone() }
    }

    /// The same with bytes of its own: as it came it holds on to all that was read with it.
    pub(crate) fn detached(&self) -> Head {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            // Neither can fail: they are of a value, and of a target, that were taken.
            let own = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
            headers.append(name.clone(), own);
        }
        let uri = self.uri.to_string().parse().unwrap_or_else(|_| self.uri.clone());
        Head { headers, uri, ..self.clone() }
    }

    pub(crate) fn set_params(&mut self, params: Vec<(String, String)>) {
        self.params = params;
    }

    /// A parameter of the route's path, percent-decoded. A name that the route does not have is the empty text.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The first query parameter of this name, decoded; empty text when it is there without a value.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a query parameter says yes: `?name`, `?name=true` or `?name=1`.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.query(name), Some("" | "true" | "1"))
    }

    /// A header as text; none when it is absent or not visible ASCII.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What the `Authorization` header holds.
    pub fn bearer(&self) -> Bearer<'_> {
        let Some(value) = self.headers.get(header::AUTHORIZATION).filter(|value| !value.is_empty()) else {
            return Bearer::Missing;
        };
        value.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).map_or(Bearer::Other, Bearer::Token)
    }
}

/// A request that its route's policy has admitted, with its body read.
#[derive(Clone, Debug)]
pub struct Call {
    /// Everything but the body.
    pub head: Head,
    /// The body, no longer than the route's limit.
    pub body: Bytes,
}

impl Call {
    /// Reads the body as JSON. Whatever is wrong with it, the caller gets 400 with the text `bad`; the log and
    /// problem details say which member.
    pub fn json<T: DeserializeOwned>(&self, bad: &'static str) -> Result<T, HttpError> {
        json::parse(&self.body).map_err(|error| {
            let refused = HttpError::bad_request(bad);
            match error.path() {
                Some(path) => refused.in_field(path),
                None => refused,
            }
            .caused_by(error)
        })
    }

    /// A parameter of the route's path; see [`Head::param`].
    pub fn param(&self, name: &str) -> &str {
        self.head.param(name)
    }

    /// The first query parameter of this name; see [`Head::query`].
    pub fn query(&self, name: &str) -> Option<&str> {
        self.head.query(name)
    }
}

/// The parameters of a path, decoded; none when one of them is not UTF-8.
pub(crate) fn decode_params<'a>(
    raw: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<Vec<(String, String)>> {
    raw.map(|(name, value)| Some((name.to_owned(), percent::decode(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn head(target: &str, headers: &[(&'static str, &str)]) -> Head {
        let pairs = headers.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        Head::new(Method::GET, target.parse().unwrap(), pairs.collect(), "127.0.0.1:1".parse().unwrap())
    }

    #[test]
    fn the_scheme_of_a_bearer_token_is_exact() {
        for (header, expected) in [
            ("", Bearer::Missing),
            ("Bearer abc", Bearer::Token("abc")),
            ("Bearer  abc", Bearer::Token(" abc")),
            ("Bearer ", Bearer::Token("")),
            ("bearer abc", Bearer::Other),
            ("Bearer", Bearer::Other),
            ("Basic abc", Bearer::Other),
            ("Bearer \u{e9}", Bearer::Other),
        ] {
            assert_eq!(head("/", &[("authorization", header)]).bearer(), expected, "{header}");
        }
        assert_eq!(head("/", &[]).bearer(), Bearer::Missing);
    }

    #[test]
    fn query_parameters_are_decoded_and_the_first_counts() {
        let head = head("/p?nodeIds=a%2Cb+c&x=1&x=2&verbose&off=false", &[]);
        assert_eq!(head.query("nodeIds"), Some("a,b c"));
        assert_eq!(head.query("x"), Some("1"));
        assert_eq!(head.query("verbose"), Some(""));
        assert_eq!(head.query("none"), None);
        assert_eq!(
            (head.flag("verbose"), head.flag("x"), head.flag("off"), head.flag("none")),
            (true, true, false, false)
        );
        assert_eq!(head.path(), "/p");
    }

    #[test]
    fn a_body_that_does_not_fit_is_400_with_the_text_of_the_endpoint() {
        let call =
            |body: &'static str| Call { head: head("/", &[]), body: Bytes::from_static(body.as_bytes()) };
        let error =
            call("{\"a\":\"x\"}").json::<std::collections::BTreeMap<String, i64>>("Bad!").unwrap_err();
        assert_eq!((error.status().as_u16(), error.message(), error.field()), (400, "Bad!", Some("a")));
        let error = call("{").json::<serde_json::Value>("Bad!").unwrap_err();
        assert_eq!((error.status().as_u16(), error.message(), error.field()), (400, "Bad!", None));
    }
}
