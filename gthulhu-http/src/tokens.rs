//! Signed tokens: JWT with RS256 and nothing else, signed and verified by `ring`.
//!
//! A token is good when its signature is by the expected key, it is neither expired nor early (within
//! [`LEEWAY_SECONDS`]), and it says who issued it and whom it is about. What the other claims mean is the
//! caller's business.

mod keyset;
mod provider;
mod remembered;

use std::ops::RangeInclusive;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
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
    kid: Option<String>,
}

/// Checks tokens against one public key.
#[derive(Clone)]
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl Signer {
    /// A signer with this key.
    pub fn new(key: &PrivateKey) -> Signer {
        provider::install();
        Signer { key: EncodingKey::from_rsa_der(key.pkcs1_der()), kid: None }
    }

    /// A signer with this key, whose tokens name it in `kid`: for a [`KeySet`].
    pub fn named(key: &PrivateKey) -> Signer {
        Signer { kid: Some(key.public().kid()), ..Signer::new(key) }
    }

    /// A token with header `{"typ":"JWT","alg":"RS256"}` and these claims, which should hold `exp`, `nbf`, `iat`
    /// (unix seconds), `iss` and `sub`: a [`Verifier`] wants them.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, TokenError> {
        let header = Header { kid: self.kid.clone(), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.key).map_err(|_| TokenError::Sign)
    }
}

impl Verifier {
    /// A verifier for tokens signed by the private half of this key.
    pub fn new(key: &PublicKey) -> Verifier {
        provider::install();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "sub"]);
        validation.validate_exp = true;
        validation.validate_nbf = true;
        // Our tokens carry no audience; the claim has no meaning between these daemons.
        validation.validate_aud = false;
        Verifier { key: DecodingKey::from_rsa_der(key.pkcs1_der()), validation }
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
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let data = jsonwebtoken::decode::<serde_json::Value>(token, &self.key, &self.validation)
            .map_err(|error| refusal(error.kind()))?;
        check_header(&data.header)?;
        let times = check_registered(&data.claims)?;
        // The path names the claim; serde's own text could quote its value.
        let claims = serde_path_to_error::deserialize(data.claims);
        claims.map(|claims| (claims, times)).map_err(|error| TokenError::Claim(error.path().to_string()))
    }
}

/// A token of another type is none of ours, and neither is one that demands what we do not know. Keys and their
/// addresses in a header are never looked at: whoever makes a token does not choose the key that judges it.
fn check_header(header: &Header) -> Result<(), TokenError> {
    let other = header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT"));
    if other || header.crit.is_some() { Err(TokenError::Malformed) } else { Ok(()) }
}

/// The checks that the library leaves out: types of `iss` and `sub`, and everything about `iat`. Gives the times at
/// which the token is good.
fn check_registered(claims: &serde_json::Value) -> Result<RangeInclusive<u64>, TokenError> {
    let claim = |name: &str| TokenError::Claim(name.to_owned());
    for name in ["iss", "sub"] {
        claims[name].as_str().filter(|text| !text.is_empty()).ok_or_else(|| claim(name))?;
    }
    let time = |name: &str| claims[name].as_u64().ok_or_else(|| claim(name));
    let (exp, nbf, iat) = (time("exp")?, time("nbf")?, time("iat")?);
    let latest = jsonwebtoken::get_current_timestamp() + LEEWAY_SECONDS;
    if iat > latest { Err(TokenError::NotYetValid) } else { Ok(remembered::good_times(exp, nbf, iat)) }
}

fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => TokenError::Algorithm,
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::MissingRequiredClaim(name) | ErrorKind::InvalidClaimFormat(name) => {
            TokenError::Claim(name.clone())
        }
        _ => TokenError::Malformed,
    }
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod tests;
