//! Several keys at once: one that signs, and all whose tokens are good. A token names its key in `kid`, and is judged by
//! that key alone; so a key whose tokens shall end is taken out, and a new one is brought in before the old one goes.

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::remembered::Fingerprint;
use super::{MAX_TOKEN_BYTES, RememberingVerifier, Signer, TokenError, Verifier, header, naming};
use crate::keys::{PrivateKey, PublicKey};

/// The keys of one issuer at one moment. Never changed: another set is another value, which remembers nothing of this.
pub struct KeySet<C> {
    signer: Signer,
    keys: Vec<Key<C>>,
    jwks: String,
}

/// One key that judges tokens.
struct Key<C> {
    kid: String,
    /// How tokens begin that our own signer made with it, to the first dot and with it.
    beginning: String,
    verifier: RememberingVerifier<C>,
}

/// A key as JSON (RFC 7517), its members in the order in which its name is computed from them.
#[derive(Serialize)]
struct Jwk<'a> {
    e: &'a str,
    kty: &'static str,
    n: &'a str,
    #[serde(flatten)]
    about: Option<About<'a>>,
}

/// What a key is for; no part of its identity.
#[derive(Serialize)]
struct About<'a> {
    alg: &'static str,
    r#use: &'static str,
    kid: &'a str,
}

impl<C: DeserializeOwned> KeySet<C> {
    /// Signs with `signing`; tokens of `others` are good as well.
    pub fn new(signing: &PrivateKey, others: &[PublicKey]) -> Self {
        let mut keys: Vec<&PublicKey> = vec![signing.public()];
        for other in others {
            if !keys.contains(&other) {
                keys.push(other);
            }
        }
        Self {
            signer: Signer::named(signing),
            keys: keys.iter().map(|key| Key::new(key)).collect(),
            jwks: jwks(&keys),
        }
    }

    /// A token of the key that signs; see [`Signer::sign`].
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, TokenError> {
        self.signer.sign(claims)
    }

    /// The claims of a good token of one of the keys; see [`Verifier::verify`]. One that names no key is none.
    pub fn verify(&self, token: &str) -> Result<Arc<C>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let (fingerprint, now) = (Fingerprint::of(token), jsonwebtoken::get_current_timestamp());
        // Only the verifier of the key that a token names has ever seen it.
        let remembered = |key: &Key<C>| key.verifier.remembered(&fingerprint, now);
        if let Some(claims) = self.keys.iter().find_map(remembered) {
            return Ok(claims);
        }
        self.named_by(token)?.learn(fingerprint, token, now)
    }

    /// What judges a token: the key that its header names. A header that our own signer wrote is known by its bytes;
    /// only others, which are as good, have to be read.
    fn named_by(&self, token: &str) -> Result<&RememberingVerifier<C>, TokenError> {
        let mut keys = self.keys.iter();
        if let Some(key) = keys.clone().find(|key| token.starts_with(&key.beginning)) {
            return Ok(&key.verifier);
        }
        let kid = header(token)?.kid.ok_or(TokenError::UnknownKey)?;
        keys.find(|key| key.kid == kid).map(|key| &key.verifier).ok_or(TokenError::UnknownKey)
    }

    /// The names of the keys; the first one signs.
    pub fn kids(&self) -> impl ExactSizeIterator<Item = &str> {
        self.keys.iter().map(|key| key.kid.as_str())
    }

    /// The keys as a JWK set (RFC 7517), for others who read our tokens.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }
}

impl<C: DeserializeOwned> Key<C> {
    fn new(key: &PublicKey) -> Self {
        let kid = key.kid();
        let beginning = base64url(written(&naming(kid.clone())).as_bytes()) + ".";
        Self { kid, beginning, verifier: RememberingVerifier::new(Verifier::new(key)) }
    }
}

impl PublicKey {
    /// The key's name: its thumbprint by RFC 7638, 43 characters. Two keys never share one.
    pub fn kid(&self) -> String {
        let (n, e) = self.numbers();
        let json = Jwk { e: &base64url(&e), kty: "RSA", n: &base64url(&n), about: None };
        base64url(ring::digest::digest(&ring::digest::SHA256, written(&json).as_bytes()).as_ref())
    }
}

fn jwks(keys: &[&PublicKey]) -> String {
    let mut text = String::from("{\"keys\":[");
    for (i, key) in keys.iter().enumerate() {
        let ((n, e), kid) = (key.numbers(), key.kid());
        let about = Some(About { alg: "RS256", r#use: "sig", kid: &kid });
        let json = Jwk { e: &base64url(&e), kty: "RSA", n: &base64url(&n), about };
        // A String takes whatever is written to it.
        let _ = write!(text, "{}{}", if i > 0 { "," } else { "" }, written(&json));
    }
    text + "]}"
}

fn written(json: &impl Serialize) -> String {
    serde_json::to_string(json).expect("texts under text keys always have a JSON form")
}

/// Base64 for URLs without padding, as tokens and keys use it.
pub(super) fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digits = (0..=chunk.len()).map(|index| DIGITS[(group >> (18 - 6 * index)) as usize & 63]);
        out.extend(digits.map(char::from));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::keys::tests::sample;
    use crate::time::unix_now;

    /// The key of RFC 7638, section 3.1, whose thumbprint is printed there.
    const RFC_7638: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0vx7agoebGcQSuuPiLJX
ZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS
oc/BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ/2W+5JsGY4Hc5n9yBXArwl93lqt
7/RN5w6Cf0h4QyQ5v+65YGjQR0/FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0
zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt+bFTWhAI4vMQFh6WeZu0f
M4lFd2NcRwr3XPksINHaQ+G/xBniIqbw0Ls1jF44+csFCur+kEgU8awapJzKnqDK
gwIDAQAB
-----END PUBLIC KEY-----
";

    fn claims(uid: &str) -> Value {
        let now = unix_now();
        json!({ "uid": uid, "iss": "gthulhu", "sub": uid, "exp": now + 600, "nbf": now, "iat": now })
    }

    fn set(signing: usize, others: &[usize]) -> KeySet<Value> {
        let others: Vec<_> = others.iter().map(|&other| sample(other).public().clone()).collect();
        KeySet::new(sample(signing), &others)
    }

    #[test]
    fn the_name_of_a_key_is_the_documented_thumbprint() {
        let key = PublicKey::from_pem(RFC_7638).unwrap();
        assert_eq!(key.kid(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        let set: Value = serde_json::from_str(&jwks(&[&key])).unwrap();
        assert_eq!(set["keys"].as_array().unwrap().len(), 1);
        let key = &set["keys"][0];
        assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!("RSA"), &json!("RS256"), &json!("sig")));
        assert_eq!(
            (&key["kid"], &key["e"]),
            (&json!("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"), &json!("AQAB"))
        );
        assert!(
            key["n"].as_str().unwrap().starts_with("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4")
        );
    }

    #[test]
    fn while_two_keys_live_tokens_of_both_are_good_and_the_new_one_signs() {
        let (before, both, after) = (set(0, &[]), set(1, &[0]), set(1, &[]));
        let (old, new) = (before.sign(&claims("u1")).unwrap(), both.sign(&claims("u2")).unwrap());
        assert_eq!(both.verify(&old).unwrap()["uid"], "u1");
        assert_eq!(both.verify(&new).unwrap()["uid"], "u2");
        assert_eq!(before.verify(&new), Err(TokenError::UnknownKey));
        assert_eq!(after.verify(&old), Err(TokenError::UnknownKey), "its key is gone");
        assert_eq!(after.verify(&new).unwrap()["uid"], "u2");
        let kids = [sample(1).public().kid(), sample(0).public().kid()];
        assert_eq!(both.kids().collect::<Vec<_>>(), kids);
        assert_eq!(set(1, &[1, 1]).kids().len(), 1, "a key is itself, however often it is named");
        for kid in &kids {
            assert!(both.jwks().contains(kid));
        }
    }

    #[test]
    fn a_header_of_our_own_is_known_by_its_bytes_and_another_is_read() {
        let set = set(0, &[]);
        let token = set.sign(&claims("u1")).unwrap();
        assert!(token.starts_with(&set.keys[0].beginning), "ours need no reading");
        let other = json!({ "alg": "RS256", "kid": set.keys[0].kid }).to_string();
        let part = token.split('.').nth(1).unwrap();
        let message = format!("{}.{part}", base64url(other.as_bytes()));
        let key = jsonwebtoken::EncodingKey::from_rsa_der(sample(0).pkcs1_der());
        let algorithm = jsonwebtoken::Algorithm::RS256;
        let proof = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        assert_eq!(set.verify(&format!("{message}.{proof}")).unwrap()["uid"], "u1");
    }

    #[test]
    fn a_token_is_judged_by_the_key_that_it_names_and_by_no_other() {
        let both = set(1, &[0]);
        let unnamed = Signer::new(sample(1)).sign(&claims("u1")).unwrap();
        assert_eq!(both.verify(&unnamed), Err(TokenError::UnknownKey));
        let (old, new) = (set(0, &[]).sign(&claims("u1")).unwrap(), both.sign(&claims("u1")).unwrap());
        // The header of one and the signature of the other.
        let swapped = format!("{}.{}", new.split_once('.').unwrap().0, old.split_once('.').unwrap().1);
        assert_eq!(both.verify(&swapped), Err(TokenError::Signature));
        for broken in ["", "..", "a.b.c", &"x".repeat(MAX_TOKEN_BYTES + 1)] {
            assert_eq!(both.verify(broken), Err(TokenError::Malformed), "{broken:.10}");
        }
    }
}
