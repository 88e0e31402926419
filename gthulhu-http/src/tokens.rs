//! Signed tokens: JWT with RS256 and nothing else, signed and verified by `ring`.
//!
//! A token is good when its signature is by the expected key, it is neither expired nor early (within
//! [`LEEWAY_SECONDS`]), and it says who issued it and whom it is about. What the other claims mean is the
//! caller's business.

mod claims;
mod keyset;
mod provider;
mod remembered;

use std::ops::RangeInclusive;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::{PrivateKey, PublicKey};

pub use keyset::KeySet;
pub use remembered::{RememberingVerifier, TOKENS_MAX};

/// How far the clocks of issuer and reader may differ, in seconds.
pub const LEEWAY_SECONDS: u64 = 60;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why a token was refused or could not be made. No message holds any part of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not a JWT, or too long to be one of ours.
    #[error("token is malformed")]
    Malformed,
    /// Its header asks for another algorithm than RS256.
    #[error("token is not signed with RS256")]
    Algorithm,
    /// The signature is not by the expected key.
    #[error("token signature is wrong")]
    Signature,
    /// Its header names no key, or one that is not in use.
    #[error("token names no key that is in use")]
    UnknownKey,
    /// `exp` has passed.
    #[error("token has expired")]
    Expired,
    /// `nbf` or `iat` lies in the future.
    #[error("token is not valid yet")]
    NotYetValid,
    /// A claim is missing or has the wrong type.
    #[error("token claim `{0}` is missing or malformed")]
    Claim(String),
    /// The claims to sign cannot be written as JSON, or the key refused.
    #[error("token cannot be signed")]
    Sign,
}

/// Makes tokens with one private key.
pub struct Signer {
    key: EncodingKey,
    header: Header,
}

/// Checks tokens against one public key.
#[derive(Clone)]
pub struct Verifier(DecodingKey);

impl Signer {
    /// A signer with this key.
    pub fn new(key: &PrivateKey) -> Signer {
        provider::install();
        Signer { key: EncodingKey::from_rsa_der(key.pkcs1_der()), header: Header::new(Algorithm::RS256) }
    }

    /// A signer with this key, whose tokens name it in `kid`: for a [`KeySet`].
    pub fn named(key: &PrivateKey) -> Signer {
        Signer { header: naming(key.public().kid()), ..Signer::new(key) }
    }

    /// A token with header `{"typ":"JWT","alg":"RS256"}` and these claims, which should hold `exp`, `nbf`, `iat`
    /// (unix seconds), `iss` and `sub`: a [`Verifier`] wants them.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, TokenError> {
        jsonwebtoken::encode(&self.header, claims, &self.key).map_err(|_| TokenError::Sign)
    }
}

impl Verifier {
    /// A verifier for tokens signed by the private half of this key.
    pub fn new(key: &PublicKey) -> Verifier {
        provider::install();
        Verifier(DecodingKey::from_rsa_der(key.pkcs1_der()))
    }

    /// The claims of a good token.
    ///
    /// `exp`, `nbf` and `iat` must be numbers, `iss` and `sub` non-empty texts. Everything else is up to `C`.
    pub fn verify<C: DeserializeOwned>(&self, token: &str) -> Result<C, TokenError> {
        self.verify_with_times(token).map(|(claims, _)| claims)
    }

    /// The claims of a good token, and the times at which it is good, in Unix seconds.
    fn verify_with_times<C: DeserializeOwned>(
        &self,
        token: &str,
    ) -> Result<(C, RangeInclusive<u64>), TokenError> {
        header(token)?;
        self.verify_headed(token, jsonwebtoken::get_current_timestamp())
    }

    /// The same, for a token whose header was found good, at a time in Unix seconds.
    ///
    /// Each part is read once, by the library; its own way to do all in one reads headers twice and claims three times.
    fn verify_headed<C: DeserializeOwned>(
        &self,
        token: &str,
        now: u64,
    ) -> Result<(C, RangeInclusive<u64>), TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let good = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.0, Algorithm::RS256);
        if !good.map_err(|error| refusal(error.kind()))? {
            return Err(TokenError::Signature);
        }
        // Only here, after its signature, is what the token says looked at.
        let read: claims::Read<C> =
            jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|error| refusal(error.kind()))?;
        let (claims, times) = read.0?;
        if now > *times.end() {
            Err(TokenError::Expired)
        } else if now < *times.start() {
            Err(TokenError::NotYetValid)
        } else {
            Ok((claims, times))
        }
    }
}

/// The header of our tokens that name their key.
fn naming(kid: String) -> Header {
    Header { kid: Some(kid), ..Header::new(Algorithm::RS256) }
}

/// What a token says of itself before anything is known of it: RS256, and nothing that is beyond us.
///
/// A token of another type is none of ours, and neither is one that demands what we do not know. Keys and their
/// addresses in a header are never looked at: whoever makes a token does not choose the key that judges it.
fn header(token: &str) -> Result<Header, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|error| refusal(error.kind()))?;
    let other = header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT"));
    if header.alg != Algorithm::RS256 {
        Err(TokenError::Algorithm)
    } else if other || header.crit.is_some() {
        Err(TokenError::Malformed)
    } else {
        Ok(header)
    }
}

fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod tests;
