//! Tokens that were verified before, so that a caller who shows the same one again costs no signature check.
//!
//! No token is kept: whoever could read the memory would hold what opens every door. What is kept is the SHA-256 of
//! all its bytes, and what it claims. Nobody can make two texts with one such digest, so to compare digests is to
//! compare whole tokens; and a guess at a remembered one learns nothing from how long the comparison takes.
//!
//! Only good tokens are remembered. One that is shown when its time is over is forgotten; one that is never shown
//! again stays until room is made, a digest that opens nothing. What is remembered is one verifier's and goes with it,
//! so a new key starts from nothing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock};

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use serde::de::DeserializeOwned;

use super::{MAX_TOKEN_BYTES, TokenError, Verifier, header};

/// The most tokens that are remembered. Few callers hold tokens, and each holds one; beyond this something is odd, and
/// everything is forgotten and learnt again.
pub const TOKENS_MAX: usize = 256;

/// A [`Verifier`] for claims of one type, with a memory.
pub struct RememberingVerifier<C> {
    verifier: Verifier,
    /// In order: a digest is as good as random, so comparing two ends at their first bytes.
    known: RwLock<BTreeMap<Fingerprint, Known<C>>>,
}

/// The SHA-256 of a whole token.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

struct Known<C> {
    claims: Arc<C>,
    /// When the token is good, in Unix seconds.
    good: RangeInclusive<u64>,
}

impl<C: DeserializeOwned> RememberingVerifier<C> {
    /// A verifier that remembers nothing yet.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, known: RwLock::default() }
    }

    /// The claims of a good token: what [`Verifier::verify`] says, now.
    pub fn verify(&self, token: &str) -> Result<Arc<C>, TokenError> {
        self.verify_at(token, jsonwebtoken::get_current_timestamp())
    }

    fn verify_at(&self, token: &str, now: u64) -> Result<Arc<C>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let fingerprint = Fingerprint::of(token);
        if let Some(claims) = self.remembered(&fingerprint, now) {
            return Ok(claims);
        }
        header(token)?;
        self.learn(fingerprint, token, now)
    }

    /// Verifies a token that is not remembered, whose header was found good, and remembers it.
    pub(super) fn learn(
        &self,
        fingerprint: Fingerprint,
        token: &str,
        now: u64,
    ) -> Result<Arc<C>, TokenError> {
        let (claims, good) = self.verifier.verify_headed::<C>(token, now)?;
        let claims = Arc::new(claims);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= TOKENS_MAX {
            known.retain(|_, token| token.good.contains(&now));
        }
        if known.len() >= TOKENS_MAX {
            known.clear();
        }
        known.insert(fingerprint, Known { claims: Arc::clone(&claims), good });
        Ok(claims)
    }

    /// What is known of a token, if it is good now. An expired one is forgotten.
    pub(super) fn remembered(&self, fingerprint: &Fingerprint, now: u64) -> Option<Arc<C>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let token = known.get(fingerprint)?;
        if token.good.contains(&now) {
            return Some(Arc::clone(&token.claims));
        }
        // One that is early, because the clock was set back, will be good again.
        let expired = now > *token.good.end();
        drop(known);
        if expired {
            self.known.write().unwrap_or_else(PoisonError::into_inner).remove(fingerprint);
        }
        None
    }
}

impl Fingerprint {
    pub(super) fn of(token: &str) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        // SHA-256 has this length always.
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::keys::tests::sample;
    use crate::time::unix_now;
    use crate::tokens::{LEEWAY_SECONDS, Signer};

    fn remembering() -> RememberingVerifier<Value> {
        RememberingVerifier::new(Verifier::new(sample(0).public()))
    }

    fn remembers(verifier: &RememberingVerifier<Value>, token: &str, now: u64) -> bool {
        verifier.remembered(&Fingerprint::of(token), now).is_some()
    }

    fn now() -> u64 {
        unix_now().try_into().unwrap()
    }

    fn token(uid: &str, key: usize) -> String {
        let now = now();
        let claims =
            json!({ "uid": uid, "iss": "gthulhu", "sub": uid, "exp": now + 600, "nbf": now, "iat": now - 5 });
        Signer::new(sample(key)).sign(&claims).unwrap()
    }

    #[test]
    fn a_remembered_token_dies_when_its_time_is_over_and_is_not_good_before_it_begins() {
        let verifier = remembering();
        let (now, token) = (now(), token("u1", 0));
        assert!(!remembers(&verifier, &token, now), "nothing is known at first");
        let claims = verifier.verify(&token).unwrap();
        let end = claims["exp"].as_u64().unwrap() + LEEWAY_SECONDS;
        let begin = claims["nbf"].as_u64().unwrap() - LEEWAY_SECONDS;
        for (time, good) in
            [(now, true), (begin, true), (begin - 1, false), (end, true), (end + 1, false), (now, false)]
        {
            assert_eq!(remembers(&verifier, &token, time), good, "{time} of {begin} to {end}");
        }
        assert!(verifier.known.read().unwrap().is_empty(), "met expired, so forgotten");
        assert_eq!(verifier.verify_at(&token, now), Ok(claims), "and learnt again if the clock was wrong");
    }

    #[test]
    fn no_other_token_passes_for_a_remembered_one() {
        let verifier = remembering();
        let good = token("u1", 0);
        assert_eq!(verifier.verify(&good).unwrap()["uid"], "u1");
        assert!(remembers(&verifier, &good, now()));
        for at in 0..good.len() {
            let mut bent = good.clone().into_bytes();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            let bent = String::from_utf8(bent).unwrap();
            assert!(!remembers(&verifier, &bent, now()), "byte {at}");
        }
        assert!(verifier.verify(&good[..good.len() - 1]).is_err());
        assert!(verifier.verify(&format!("{good}=")).is_err());
        assert_eq!(verifier.verify(&token("u1", 1)), Err(TokenError::Signature), "another key's");
        assert_eq!(verifier.verify(&token("u2", 0)).unwrap()["uid"], "u2");
        assert_eq!(verifier.verify(&good).unwrap()["uid"], "u1");
    }

    #[test]
    fn what_was_refused_is_not_remembered() {
        let verifier = remembering();
        for bad in ["", "a.b.c", &token("u1", 1)] {
            assert!(verifier.verify(bad).is_err());
            assert!(!remembers(&verifier, bad, now()));
        }
        assert!(verifier.known.read().unwrap().is_empty());
    }

    #[test]
    fn the_memory_is_bounded() {
        let verifier = remembering();
        let good = token("u1", 0);
        let claims = verifier.verify(&good).unwrap();
        let mut known = verifier.known.write().unwrap();
        for number in known.len()..TOKENS_MAX {
            let fingerprint = Fingerprint::of(&number.to_string());
            known.insert(fingerprint, Known { claims: Arc::clone(&claims), good: 0..=u64::MAX });
        }
        drop(known);
        verifier.verify(&token("u2", 0)).unwrap();
        assert_eq!(verifier.known.read().unwrap().len(), 1, "all were in use, so all were forgotten");
    }
}
