//! Reading the claims of a token whose signature is good.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{LEEWAY_SECONDS, TokenError};

/// The claims that every token must have (RFC 7519, section 4.1).
#[derive(Deserialize)]
struct Registered<'t> {
    #[serde(borrow)]
    iss: Cow<'t, str>,
    #[serde(borrow)]
    sub: Cow<'t, str>,
    exp: u64,
    nbf: u64,
    iat: u64,
}

/// What [`read`] makes of claims: a type that the library can read, since only it opens tokens.
pub(super) struct Read<C>(pub(super) Result<(C, RangeInclusive<u64>), TokenError>);

impl<'de, C: DeserializeOwned> Deserialize<'de> for Read<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|text| Self(read(text.get())))
    }
}

/// The caller's claims, and when the token is good, in Unix seconds.
///
/// `exp`, `nbf` and `iat` must be whole numbers, `iss` and `sub` texts that are not empty; an audience means nothing to
/// these daemons and is the caller's to judge.
fn read<C: DeserializeOwned>(text: &str) -> Result<(C, RangeInclusive<u64>), TokenError> {
    let both = serde_json::from_str::<Registered<'_>>(text).and_then(|registered| {
        let claims = serde_json::from_str(text)?;
        Ok((registered, claims))
    });
    match both {
        Ok((registered, claims)) if !registered.iss.is_empty() && !registered.sub.is_empty() => {
            Ok((claims, good_times(registered.exp, registered.nbf, registered.iat)))
        }
        _ => read_naming_faults(text),
    }
}

/// The same, at three times the cost, because what is refused is refused by name.
fn read_naming_faults<C: DeserializeOwned>(text: &str) -> Result<(C, RangeInclusive<u64>), TokenError> {
    let fault = |name: &str| TokenError::Claim(name.to_owned());
    let claims: Value = serde_json::from_str(text).map_err(|_| TokenError::Malformed)?;
    for name in ["iss", "sub"] {
        claims[name].as_str().filter(|text| !text.is_empty()).ok_or_else(|| fault(name))?;
    }
    let time = |name: &str| claims[name].as_u64().ok_or_else(|| fault(name));
    let times = good_times(time("exp")?, time("nbf")?, time("iat")?);
    // The path names the claim; serde's own text could quote its value.
    let claims = serde_path_to_error::deserialize(claims);
    claims.map(|claims| (claims, times)).map_err(|error| fault(&error.path().to_string()))
}

/// From the later of `nbf` and `iat` to `exp`, with leeway on both sides.
fn good_times(exp: u64, nbf: u64, iat: u64) -> RangeInclusive<u64> {
    nbf.max(iat).saturating_sub(LEEWAY_SECONDS)..=exp.saturating_add(LEEWAY_SECONDS)
}
