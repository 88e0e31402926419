//! Tokens: who may call the decision maker, and how a caller gets one.
//!
//! All decision makers of a cluster share one RSA key. Whoever holds its private half makes tokens himself, as our
//! manager does. Older clients ask for one by showing the *public* half; since that proves nothing, it is taken from
//! this machine, and from whoever has proven by a certificate that he is the manager, unless the configuration says otherwise.

use std::sync::Arc;

use gthulhu_http::{
    call::{Bearer, Head},
    error::HttpError,
    keys::{PrivateKey, PublicKey},
    route::Policy,
    time::unix_now,
    tokens::{RememberingVerifier, Signer, Verifier},
};
use gthulhu_lib::wire::{TokenReply, TokenRequest};
use serde::{Deserialize, Serialize};

use crate::config::{PublicKeyFrom, Token};

/// Who signs: every token of a decision maker says so, and no other token is taken.
pub const ISSUER: &str = "decision-maker-service";

/// The subject of a token for a caller that gave no name: an empty one is not a subject.
pub const UNNAMED: &str = "unnamed";

/// The longest `client_id` that is taken, in bytes: a token must fit in a header.
pub const CLIENT_ID_MAX: usize = 256;

/// What a token says. It gives every right there is, so nothing in it is a permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who asked for it.
    #[serde(default)]
    pub client_id: String,
    /// Always [`ISSUER`].
    pub iss: String,
    /// The same as `client_id`, or [`UNNAMED`] for a caller that gave no name.
    pub sub: String,
    /// When it ends, in Unix seconds.
    pub exp: i64,
    /// When it begins.
    pub nbf: i64,
    /// When it was made.
    pub iat: i64,
}

impl Claims {
    /// The claims of a token made now for `client_id`.
    pub fn new(client_id: &str, now: i64, lifetime_secs: i64) -> Claims {
        Claims {
            client_id: client_id.to_owned(),
            iss: ISSUER.to_owned(),
            sub: if client_id.is_empty() { UNNAMED } else { client_id }.to_owned(),
            exp: now + lifetime_secs,
            nbf: now,
            iat: now,
        }
    }
}

/// The key, and the rule about who may have tokens of it.
#[derive(Clone)]
pub struct Tokens {
    signer: Arc<Signer>,
    verifier: Arc<RememberingVerifier<Claims>>,
    public: PublicKey,
    lifetime_secs: i64,
    public_key_from: PublicKeyFrom,
}

impl Tokens {
    /// Tokens signed and verified by `key`.
    pub fn new(key: &PrivateKey, token: &Token) -> Tokens {
        Tokens {
            signer: Arc::new(Signer::new(key)),
            verifier: Arc::new(RememberingVerifier::new(Verifier::new(key.public()))),
            public: key.public().clone(),
            lifetime_secs: i64::from(token.token_duration_hr) * 3600,
            public_key_from: token.allow_public_key,
        }
    }

    /// Exchanges the public half of the key for a token.
    pub fn exchange(&self, request: &TokenRequest, head: &Head) -> Result<TokenReply, HttpError> {
        // The trailing space is part of what clients know.
        let refused = || HttpError::unauthorized("Public key verification failed ");
        if request.client_id.len() > CLIENT_ID_MAX {
            return Err(HttpError::bad_request("Invalid request payload").in_field("client_id"));
        }
        let shown = PublicKey::from_pem(&request.public_key).map_err(|error| refused().caused_by(error))?;
        if shown != self.public {
            return Err(refused());
        }
        let peer = head.peer.ip();
        let trusted = head.identity.is_some() || peer.to_canonical().is_loopback();
        if self.public_key_from == PublicKeyFrom::Loopback && !trusted {
            // The caller did nothing wrong that he could see; the operator of a manager written in Go must.
            tracing::warn!(
                %peer,
                "a token was refused: the public key is right, but the caller is not on this machine; \
                 token.allow_public_key = \"any\" would accept it"
            );
            return Err(refused());
        }
        let claims = Claims::new(&request.client_id, unix_now(), self.lifetime_secs);
        let token = self.signer.sign(&claims).map_err(HttpError::internal)?;
        Ok(TokenReply { token, expired_at: claims.exp })
    }
}

/// Demands a token of the decision maker's own key.
#[derive(Debug, Clone, Copy)]
pub struct WithToken;

/// Proof that the caller showed a valid token, and who he says he is.
#[derive(Debug)]
pub struct Caller(Arc<Claims>);

impl Caller {
    /// The `client_id` of the token; free text.
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }
}

impl<A: AsRef<Tokens>> Policy<A> for WithToken {
    type Grant = Caller;

    fn name(&self) -> String {
        "token".to_owned()
    }

    fn admit(&self, app: &A, head: &Head) -> Result<Caller, HttpError> {
        let invalid = || HttpError::unauthorized("invalid or expired token");
        let token = match head.bearer() {
            Bearer::Missing => return Err(HttpError::unauthorized("Authorization header is required")),
            Bearer::Other => {
                return Err(HttpError::unauthorized("Authorization header must start with 'Bearer '"));
            }
            Bearer::Token(token) => token,
        };
        let verified = app.as_ref().verifier.verify(token);
        let claims = verified.map_err(|error| invalid().caused_by(error))?;
        if claims.iss != ISSUER {
            return Err(invalid());
        }
        Ok(Caller(claims))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::HeaderMap;

    use super::*;

    const NEAR: [&str; 3] = ["127.0.0.1", "::1", "::ffff:127.0.0.1"];
    const FAR: [&str; 3] = ["10.0.0.1", "fe80::1", "::ffff:10.0.0.1"];

    fn request(public_key: &str) -> TokenRequest {
        TokenRequest { public_key: public_key.to_owned(), client_id: "cli".to_owned(), expired_at: 0 }
    }

    fn exchange(tokens: &Tokens, request: &TokenRequest, peer: &str) -> Result<TokenReply, String> {
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        let head = Head::new(http::Method::POST, "/".parse().unwrap(), HeaderMap::new(), peer);
        tokens.exchange(request, &head).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_public_key_is_enough_on_this_machine_only() {
        let key = PrivateKey::generate().unwrap();
        let pem = key.public().to_pem();
        let other = PrivateKey::generate().unwrap().public().to_pem();
        let loopback = Tokens::new(&key, &Token::default());
        let any = Tokens::new(&key, &Token { allow_public_key: PublicKeyFrom::Any, ..Token::default() });
        let failed = Err("Public key verification failed ".to_owned());
        for peer in NEAR {
            assert!(exchange(&loopback, &request(&pem), peer).is_ok(), "{peer}");
            assert_eq!(exchange(&loopback, &request(&other), peer), failed);
            assert_eq!(exchange(&loopback, &request("..."), peer), failed);
            assert_eq!(
                exchange(&loopback, &request(&key.to_pem()), peer),
                failed,
                "a private key is no public one"
            );
        }
        for peer in FAR {
            assert_eq!(exchange(&loopback, &request(&pem), peer), failed, "{peer}");
            assert!(exchange(&any, &request(&pem), peer).is_ok(), "{peer}");
            assert_eq!(exchange(&any, &request(&other), peer), failed);
        }
    }

    #[test]
    fn a_token_says_who_asked_and_lasts_as_configured() {
        let key = PrivateKey::generate().unwrap();
        let tokens = Tokens::new(&key, &Token { token_duration_hr: 3, ..Token::default() });
        let before = unix_now();
        let pem = key.public().to_pem();
        let reply = exchange(&tokens, &request(&pem), "::1").unwrap();
        let claims = tokens.verifier.verify(&reply.token).unwrap();
        assert_eq!(*claims, Claims::new("cli", claims.iat, 3 * 3600));
        assert!((before..=unix_now()).contains(&claims.iat));
        assert_eq!(reply.expired_at, claims.exp);
        let unnamed = TokenRequest { client_id: String::new(), ..request(&pem) };
        let reply = exchange(&tokens, &unnamed, "::1").unwrap();
        let claims = tokens.verifier.verify(&reply.token).unwrap();
        assert_eq!((claims.client_id.as_str(), claims.sub.as_str()), ("", UNNAMED));
    }

    #[test]
    fn a_name_that_no_header_could_carry_is_refused() {
        let key = PrivateKey::generate().unwrap();
        let tokens = Tokens::new(&key, &Token::default());
        let long = |length| TokenRequest { client_id: "x".repeat(length), ..request(&key.public().to_pem()) };
        assert!(exchange(&tokens, &long(CLIENT_ID_MAX), "::1").is_ok());
        assert!(exchange(&tokens, &long(CLIENT_ID_MAX + 1), "::1").is_err());
    }
}
