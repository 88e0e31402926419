//! The HTTP client of one daemon towards another: pooled connections, and an end to every wait.
//!
//! A peer that hangs costs [`ClientOptions::total`] and one that never stops talking costs
//! [`ClientOptions::max_response`]; neither can cost more. Redirects are not followed, nothing is retried once a
//! request may have reached the peer, and a bearer token is in no log line and no error. A client with TLS speaks nothing else,
//! and only to the node that is meant: see [`crate::tls`].

mod fault;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::tls::{ClientTls, Connector};

pub use fault::{ClientError, ConnectFault};

/// Limits of a [`Client`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// Longest time to connect; as long again for a handshake.
    pub connect: Duration,
    /// Longest time for a whole exchange: looking up the name, connecting, sending, and reading the last byte.
    pub total: Duration,
    /// Largest response body, in bytes.
    pub max_response: usize,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            connect: Duration::from_secs(2),
            total: Duration::from_secs(5),
            max_response: 4 << 20,
            // Below the server's own 60 s, so that we never send on a connection it is about to close.
            idle: Duration::from_secs(45),
        }
    }
}

/// What to ask. `Debug` shows neither token nor body.
#[derive(Clone)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// `http://host:port/path?query`, or `https://...` with TLS.
    pub url: String,
    /// The node that must answer, if its certificate has an identity. Without TLS nothing is asked of anybody.
    pub node: Option<&'a str>,
    /// The name that its certificate must have if it has no identity; empty or none: that of the client's settings.
    pub server_name: Option<&'a str>,
    /// Sent as `Authorization: Bearer …`.
    pub bearer: Option<&'a str>,
    /// A JSON document, sent with its content type.
    pub body: Option<Vec<u8>>,
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// A client; clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    pool: Pool<Connector, Full<Bytes>>,
    options: ClientOptions,
    tls: Option<ClientTls>,
}

impl Client {
    /// A client with these limits, without TLS.
    pub fn new(options: ClientOptions) -> Client {
        Client::over(options, None)
    }

    /// A client with these limits that shows its certificate to whom it calls.
    pub fn with_tls(options: ClientOptions, tls: ClientTls) -> Client {
        Client::over(options, Some(tls))
    }

    fn over(options: ClientOptions, tls: Option<ClientTls>) -> Client {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(options.connect));
        connector.set_nodelay(true);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(options.idle)
            .build(Connector::new(connector, tls.clone(), options.connect));
        Client { pool, options, tls }
    }

    /// Sends a request and reads the whole response. Any status is a response; see [`ClientError`] for the rest.
    pub async fn send(&self, request: Request<'_>) -> Result<Response, ClientError> {
        let request = request.into_http(self.tls.as_ref())?;
        let room = self.tls.as_ref().map(|tls| tls.room(request.uri()));
        let exchange = async {
            let _turn = match &room {
                Some(room) => room.turn().await,
                None => None,
            };
            self.exchange(request).await
        };
        match tokio::time::timeout(self.options.total, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClientError::Timeout { limit: self.options.total }),
        }
    }

    async fn exchange(&self, request: http::Request<Full<Bytes>>) -> Result<Response, ClientError> {
        let response = self.pool.request(request).await.map_err(fault::of_request)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, self.options.max_response).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                ClientError::TooLarge { limit: self.options.max_response }
            } else {
                ClientError::Protocol { source: error }
            }
        })?;
        Ok(Response { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
    }
}

impl<'a> Request<'a> {
    /// A GET.
    pub fn get(url: impl Into<String>) -> Request<'a> {
        Request {
            method: Method::GET,
            url: url.into(),
            node: None,
            server_name: None,
            bearer: None,
            body: None,
        }
    }

    /// A request with a JSON body.
    pub fn with_body(method: Method, url: impl Into<String>, body: Vec<u8>) -> Request<'a> {
        Request { method, body: Some(body), ..Request::get(url) }
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn bearer(mut self, token: &'a str) -> Request<'a> {
        self.bearer = Some(token);
        self
    }

    /// The same to this node, by this name if its certificate has no identity. An empty text is none.
    #[must_use]
    pub fn to_node(mut self, node: &'a str, server_name: &'a str) -> Request<'a> {
        let given = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        (self.node, self.server_name) = (given(node), given(server_name));
        self
    }

    fn into_http(self, tls: Option<&ClientTls>) -> Result<http::Request<Full<Bytes>>, ClientError> {
        let invalid = |rule| ClientError::Request { rule };
        let mut uri: http::Uri = self.url.parse().map_err(|_| invalid("the URL cannot be parsed"))?;
        let (scheme, rule) = match tls {
            None => ("http", "the URL must start with http:// and name a host"),
            Some(_) => ("https", "the URL must start with https:// and name a host"),
        };
        if uri.scheme_str() != Some(scheme) || uri.host().is_none_or(str::is_empty) {
            return Err(invalid(rule));
        }
        if let Some(tls) = tls {
            let target = tls.target(self.node, self.server_name);
            uri = target.mark(&uri).ok_or_else(|| invalid("the URL must not name a user"))?;
        }
        let mut builder = http::Request::builder().method(self.method).uri(uri);
        if let Some(token) = self.bearer {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| invalid("the bearer token has characters that no header may have"))?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if self.body.is_some() {
            builder = builder.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(Bytes::from(self.body.unwrap_or_default()));
        builder.body(body).map_err(|_| invalid("the request cannot be built"))
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
