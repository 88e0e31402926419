//! Good tokens pass; every way to forge or bend one is refused for its own reason.

use ring::hmac;
use serde::Deserialize;
use serde_json::{Value, json};

use super::keyset::base64url;
use super::*;
use crate::keys::tests::sample;
use crate::time::unix_now;

#[derive(Debug, PartialEq, Deserialize)]
struct Claims {
    uid: String,
    sub: String,
    exp: i64,
}

fn claims() -> Value {
    let now = unix_now();
    json!({ "uid": "u1", "iss": "gthulhu", "sub": "u1", "exp": now + 600, "nbf": now, "iat": now })
}

/// The good claims with one of them replaced, or removed by null.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    claims
}

fn verify(token: &str) -> Result<Claims, TokenError> {
    Verifier::new(sample(0).public()).verify(token)
}

fn signed(claims: &Value) -> String {
    Signer::new(sample(0)).sign(claims).unwrap()
}

/// A token whose header claims `alg` and whose signature is made by `sign` over the signed part.
fn forged(alg: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = json!({ "typ": "JWT", "alg": alg }).to_string();
    let part = format!("{}.{}", base64url(header.as_bytes()), base64url(claims().to_string().as_bytes()));
    let signature = base64url(&sign(part.as_bytes()));
    format!("{part}.{signature}")
}

#[test]
fn a_signed_token_comes_back_whole() {
    let given = claims();
    let token = signed(&given);
    assert!(token.starts_with(&base64url(br#"{"typ":"JWT","alg":"RS256"}"#)), "{token}");
    let want = Claims { uid: "u1".into(), sub: "u1".into(), exp: given["exp"].as_i64().unwrap() };
    assert_eq!(verify(&token), Ok(want));
}

#[test]
fn the_signature_counts_and_nothing_but_rs256() {
    let token = signed(&claims());
    let (part, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = part.split_once('.').unwrap();
    let promoted = base64url(claims_with("uid", json!("root")).to_string().as_bytes());
    let public_pem = sample(0).public().to_pem();
    let hs256 = |key: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        forged("HS256", |part| hmac::sign(&key, part).as_ref().to_vec())
    };
    let cases = [
        (Signer::new(sample(1)).sign(&claims()).unwrap(), TokenError::Signature),
        (format!("{header}.{promoted}.{signature}"), TokenError::Signature),
        (format!("{part}.{}", base64url(&[0; 256])), TokenError::Signature),
        (format!("{part}."), TokenError::Signature),
        (hs256(public_pem.as_bytes()), TokenError::Algorithm),
        (hs256(sample(0).public().pkcs1_der()), TokenError::Algorithm),
        (forged("RS384", |_| vec![1; 256]), TokenError::Algorithm),
        (forged("none", |_| Vec::new()), TokenError::Malformed),
        (forged("None", |_| Vec::new()), TokenError::Malformed),
        (part.to_owned(), TokenError::Malformed),
        (String::new(), TokenError::Malformed),
        ("..".to_owned(), TokenError::Malformed),
        ("a".repeat(MAX_TOKEN_BYTES + 1), TokenError::Malformed),
    ];
    for (token, want) in cases {
        assert_eq!(verify(&token), Err(want), "{token}");
    }
}

#[test]
fn time_is_judged_with_a_minute_of_leeway() {
    let now = unix_now();
    // Far enough from the edge that a slow test machine does not matter.
    let cases = [
        ("exp", now - 30, Ok(())),
        ("exp", now - 90, Err(TokenError::Expired)),
        ("nbf", now + 30, Ok(())),
        ("nbf", now + 120, Err(TokenError::NotYetValid)),
        ("iat", now + 30, Ok(())),
        ("iat", now + 120, Err(TokenError::NotYetValid)),
        ("iat", 0, Ok(())),
    ];
    for (name, value, want) in cases {
        let token = signed(&claims_with(name, json!(value)));
        assert_eq!(verify(&token).map(drop), want, "{name} {}", value - now);
    }
}

#[test]
fn every_registered_claim_is_required_in_its_type() {
    for name in ["exp", "nbf", "iat", "iss", "sub"] {
        let token = signed(&claims_with(name, Value::Null));
        assert_eq!(verify(&token), Err(TokenError::Claim(name.into())), "without {name}");
    }
    let later = (unix_now() + 600).to_string();
    let wrong = [
        ("exp", json!(later)),
        ("nbf", json!(later)),
        ("iat", json!(later)),
        ("exp", json!(1.5e300)),
        ("exp", json!(-1)),
        ("iss", json!(["gthulhu"])),
        ("iss", json!("")),
        ("sub", json!(7)),
        ("sub", json!("")),
    ];
    for (name, value) in wrong {
        let token = signed(&claims_with(name, value.clone()));
        assert_eq!(verify(&token), Err(TokenError::Claim(name.into())), "{name} {value}");
    }
}

#[test]
fn the_callers_own_claims_are_named_when_they_are_wrong() {
    let error = verify(&signed(&claims_with("uid", json!(12345)))).unwrap_err();
    assert_eq!(error, TokenError::Claim("uid".into()));
    assert!(!error.to_string().contains("12345"));
    let audience = signed(&claims_with("aud", json!("anybody")));
    assert!(verify(&audience).is_ok());
}
