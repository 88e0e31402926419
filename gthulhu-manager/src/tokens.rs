//! The keys of users' tokens while the manager runs. They can be replaced: a request is judged by those of its moment.

use std::sync::Arc;

use arc_swap::ArcSwap;
use gthulhu_http::tokens::{KeySet, TokenError};

use crate::keyring::UserKeys;
use crate::service::Claims;

/// Signs and verifies users' tokens.
pub struct UserTokens(ArcSwap<KeySet<Claims>>);

impl UserTokens {
    /// With these keys.
    pub fn new(keys: &UserKeys) -> Self {
        Self(ArcSwap::from_pointee(set(keys)))
    }

    /// From now on with these keys. When this returns, no token of a key that is gone is good.
    pub fn replace(&self, keys: &UserKeys) {
        self.0.store(Arc::new(set(keys)));
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        self.0.load().sign(claims)
    }

    /// The claims of a good token.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        self.0.load().verify(token)
    }

    /// The public keys, for others who read our tokens.
    pub fn jwks(&self) -> String {
        self.0.load().jwks().to_owned()
    }

    /// The names of the keys; the first one signs.
    pub fn kids(&self) -> Vec<String> {
        self.0.load().kids().map(str::to_owned).collect()
    }
}

fn set(keys: &UserKeys) -> KeySet<Claims> {
    KeySet::new(&keys.signing, keys.retiring.as_slice())
}
