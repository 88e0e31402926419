//! The token that a dm asks for.
//!
//! All dms of a cluster share one key pair. With its private half the manager signs the token itself; without
//! it, it shows the public half to each dm and is given a token, as older dms require.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gthulhu_http::client::{Client, Request};
use gthulhu_http::keys::{PrivateKey, PublicKey};
use gthulhu_http::tokens::{MAX_TOKEN_BYTES, Signer};
use gthulhu_http::{json, time};
use gthulhu_lib::wire::{TokenReply, TokenRequest};
use http::Method;
use serde::Serialize;

use super::{Endpoint, Failure, reply, unanswered};

/// How long a token that we sign is valid, in seconds.
const LIFETIME_S: i64 = 24 * 3600;

/// A token is replaced this long before it expires, in seconds.
const MARGIN_S: i64 = 60;

/// Who asks, if the configuration does not say: a token without a subject is refused.
const DEFAULT_CLIENT_ID: &str = "gthulhu-manager";

/// Tokens for dms, reused until a minute before they expire.
pub struct Tokens {
    client_id: String,
    source: Source,
    /// By the dm's URL; a token that we sign is good everywhere and is kept under the empty one.
    kept: Mutex<HashMap<String, Kept>>,
}

enum Source {
    Minted(Box<Signer>),
    Exchanged { public_key_pem: String },
}

/// A token and the moment, in Unix seconds, from which it is not used any more.
#[derive(Clone)]
struct Kept {
    token: Arc<str>,
    until: i64,
}

#[derive(Serialize)]
struct Claims<'a> {
    client_id: &'a str,
    iss: &'static str,
    sub: &'a str,
    exp: i64,
    nbf: i64,
    iat: i64,
}

impl Tokens {
    /// Tokens signed by ourselves with the dms' private key. `client_id` says who asks.
    pub fn minted(key: &PrivateKey, client_id: &str) -> Self {
        Self::new(Source::Minted(Box::new(Signer::new(key))), client_id)
    }

    /// Tokens given by each dm in exchange for its public key.
    pub fn exchanged(key: &PublicKey, client_id: &str) -> Self {
        Self::new(Source::Exchanged { public_key_pem: key.to_pem() }, client_id)
    }

    fn new(source: Source, client_id: &str) -> Self {
        let client_id = if client_id.is_empty() { DEFAULT_CLIENT_ID } else { client_id }.to_owned();
        Self { client_id, source, kept: Mutex::default() }
    }

    /// A token for the dm at `endpoint`.
    pub(super) async fn get(&self, http: &Client, endpoint: &Endpoint) -> Result<Arc<str>, Failure> {
        let place = match self.source {
            Source::Minted(_) => "",
            Source::Exchanged { .. } => endpoint.url.as_str(),
        };
        let now = time::unix_now();
        if let Some(kept) = self.kept().get(place).filter(|kept| kept.until > now) {
            return Ok(Arc::clone(&kept.token));
        }
        let fresh = match &self.source {
            Source::Minted(signer) => self.mint(signer, now)?,
            Source::Exchanged { public_key_pem } => self.exchange(http, endpoint, public_key_pem).await?,
        };
        let token = Arc::clone(&fresh.token);
        let mut kept = self.kept();
        kept.retain(|_, old| old.until > now);
        kept.insert(place.to_owned(), fresh);
        Ok(token)
    }

    /// The dm refused its token. One that it gave out itself is dropped; ours would only be signed the same way.
    pub(super) fn refused(&self, endpoint: &Endpoint) {
        self.kept().remove(&endpoint.url);
    }

    fn mint(&self, signer: &Signer, now: i64) -> Result<Kept, Failure> {
        let claims = Claims {
            client_id: &self.client_id,
            iss: "decision-maker-service",
            sub: &self.client_id,
            exp: now + LIFETIME_S,
            nbf: now,
            iat: now,
        };
        let token = signer.sign(&claims).map_err(|error| reply::bad(error.to_string()))?;
        Ok(Kept { token: token.into(), until: now + LIFETIME_S - MARGIN_S })
    }

    async fn exchange(&self, http: &Client, endpoint: &Endpoint, key_pem: &str) -> Result<Kept, Failure> {
        let body = json::to_body(&TokenRequest {
            public_key: key_pem.to_owned(),
            client_id: self.client_id.clone(),
            expired_at: 0,
        });
        let url = format!("{}/api/v1/auth/token", endpoint.url);
        let request = Request::with_body(Method::POST, url, body);
        let request = request.to_node(&endpoint.node, &endpoint.server_name);
        let response = http.send(request).await.map_err(|error| unanswered(&error))?;
        let TokenReply { token, expired_at } = reply::data(response.status, &response.body)?;
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(reply::bad("bad reply: what it gave is not a token".to_owned()));
        }
        Ok(Kept { token: token.into(), until: expired_at.saturating_sub(MARGIN_S) })
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        // Nothing can be half done under this lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
