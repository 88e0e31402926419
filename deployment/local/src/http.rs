//! Calls to the daemons, with errors that name the call.

use gthulhu_http::client::{Client, ClientOptions, Request};
use serde_json::Value;

use crate::error::LocalError;

/// One daemon, with or without a token.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    token: Option<String>,
}

/// What a daemon answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Location` header.
    pub location: Option<String>,
    call: String,
    body: Vec<u8>,
}

impl Api {
    /// Calls below `base`, such as `http://127.0.0.1:8081`.
    pub fn new(base: &str) -> Self {
        Self { client: Client::new(ClientOptions::default()), base: base.to_owned(), token: None }
    }

    /// The same daemon, called with `token`.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// GET `path`.
    pub async fn get(&self, path: &str) -> Result<Answer, LocalError> {
        self.send("GET", path, None).await
    }

    /// `method` on `path` with a JSON body.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Result<Answer, LocalError> {
        self.send(method, path, Some(body.to_string().into_bytes())).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Result<Answer, LocalError> {
        let url = format!("{}{path}", self.base);
        let call = format!("{method} {url}");
        let failed = |problem: String| LocalError::Http { call: call.clone(), problem };
        let method = method.parse().map_err(|_| failed("no such method".to_owned()))?;
        let request = Request { method, bearer: self.token.as_deref(), body, ..Request::get(url) };
        let response = self.client.send(request).await.map_err(|error| failed(error.to_string()))?;
        let location =
            response.headers.get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Answer { status: response.status, location, call, body: response.body.to_vec() })
    }
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, LocalError> {
        serde_json::from_slice(&self.body).map_err(|error| self.failed(&format!("no JSON: {error}")))
    }

    /// The `data` of a successful answer.
    pub fn data(&self) -> Result<Value, LocalError> {
        self.done()?;
        Ok(self.json()?["data"].clone())
    }

    /// Requires success.
    pub fn done(&self) -> Result<(), LocalError> {
        if self.status == 200 && self.json()?["success"] == true {
            Ok(())
        } else {
            Err(self.failed("200 expected"))
        }
    }

    /// Requires a refusal with this status and text.
    pub fn refused(&self, status: u16, error: &str) -> Result<(), LocalError> {
        let as_told = self.status == status && self.json()?["error"] == error;
        if as_told { Ok(()) } else { Err(self.failed(&format!("{status} {error:?} expected"))) }
    }

    fn failed(&self, wanted: &str) -> LocalError {
        LocalError::Http {
            call: self.call.clone(),
            problem: format!("{wanted}, answered {} {}", self.status, self.text().trim_end()),
        }
    }
}
