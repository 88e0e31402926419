//! What an access token says, and what of it still holds.

use std::net::IpAddr;
use std::time::Duration;

use gthulhu_lib::id::Id;
use serde::{Deserialize, Serialize};

use super::state::{State, Stored};
use super::{ServiceError, now_ms};
use crate::domain::{Permission, Policy, Status, User};
use crate::store::audit::Origin;

/// Who issues access tokens.
pub const ISSUER: &str = "bss-api-server";
/// The token type of an access token.
pub const ACCESS_TOKEN: &str = "access";

/// The claims of an access token. Signing and verifying are elsewhere; there the signature and the times are
/// checked, here everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    /// The user's id.
    #[serde(default)]
    pub uid: String,
    /// He had to change his password when the token was made.
    #[serde(default)]
    pub need_change_password: bool,
    /// His generation when the token was made.
    #[serde(default)]
    pub token_version: u64,
    /// [`ACCESS_TOKEN`].
    #[serde(default)]
    pub token_type: String,
    /// The session that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Whom it is for. Ours are for the manager and do not say so; one that names somebody is for him.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<serde_json::Value>,
    /// [`ISSUER`].
    pub iss: String,
    /// The same as `uid`.
    pub sub: String,
    /// End of its life, seconds since the epoch.
    pub exp: i64,
    /// Begin of its life.
    pub nbf: i64,
    /// When it was made.
    pub iat: i64,
}

impl Claims {
    /// The claims of a new token for `user`.
    pub(super) fn new(user: &User, now_s: i64, ttl: Duration) -> Self {
        Self {
            uid: user.id.to_string(),
            need_change_password: user.status == Status::MustChangePassword,
            token_version: user.token_version,
            token_type: ACCESS_TOKEN.into(),
            sid: None,
            aud: None,
            iss: ISSUER.into(),
            sub: user.id.to_string(),
            exp: now_s.saturating_add_unsigned(ttl.as_secs()),
            nbf: now_s,
            iat: now_s,
        }
    }

    /// The same for a token that ends with this session.
    pub(super) fn of_session(self, session: Id) -> Self {
        Self { sid: Some(session.to_string()), ..self }
    }
}

/// Claims whose form is good. Whether they still hold is asked of the newest state, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) uid: Id,
    /// The session that it was made in; a token without one ends with the user's generation.
    login: Option<Id>,
    generation: u64,
    must_change: bool,
    /// Where the request came from, for the audit trail.
    from: Option<IpAddr>,
}

impl Session {
    pub(super) fn new(claims: &Claims) -> Result<Self, ServiceError> {
        if claims.token_type != ACCESS_TOKEN {
            return Err(ServiceError::BadTokenType);
        }
        if claims.iss != ISSUER || claims.sub != claims.uid || claims.aud.is_some() {
            return Err(ServiceError::BadToken);
        }
        let id = |text: &str| text.parse::<Id>().map_err(|_| ServiceError::BadToken);
        Ok(Self {
            uid: id(&claims.uid)?,
            login: claims.sid.as_deref().map(id).transpose()?,
            generation: claims.token_version,
            must_change: claims.need_change_password,
            from: None,
        })
    }

    /// The same session, in a request from this address.
    pub(super) fn seen_from(self, from: IpAddr) -> Self {
        Self { from: Some(from), ..self }
    }

    /// What the audit trail says about a change made in this session.
    pub(super) fn origin(&self, request_id: &str) -> Origin {
        Origin { actor: Some(self.uid), at_ms: now_ms(), request_id: request_id.to_string(), from: self.from }
    }

    /// The user, if the session still holds. He may have to change his password.
    pub(super) fn user<'s>(&self, state: &'s State) -> Result<&'s Stored<User>, ServiceError> {
        let user = state.users.get(&self.uid).ok_or(ServiceError::NoSuchUser)?;
        if user.value.status == Status::Inactive {
            return Err(ServiceError::InactiveUser);
        }
        let open = self
            .login
            .is_none_or(|id| state.sessions.get(&id).is_some_and(|session| session.value.user == self.uid));
        if user.value.token_version != self.generation || !open {
            return Err(ServiceError::TokenRevoked);
        }
        Ok(user)
    }

    /// The user, if the session still holds and he need not change his password first.
    pub(super) fn settled_user<'s>(&self, state: &'s State) -> Result<&'s Stored<User>, ServiceError> {
        let user = self.user(state)?;
        if self.must_change || user.value.status == Status::MustChangePassword {
            return Err(ServiceError::MustChangePassword);
        }
        Ok(user)
    }

    /// The policies by which the user may do this now, over all his roles.
    pub(super) fn policies(
        &self,
        state: &State,
        permission: Permission,
    ) -> Result<Vec<Policy>, ServiceError> {
        let user = &self.settled_user(state)?.value;
        let policies = state.policies_of(user);
        let matching: Vec<_> = policies.filter(|policy| policy.permission == permission).cloned().collect();
        if matching.is_empty() { Err(ServiceError::Denied) } else { Ok(matching) }
    }
}

/// Ends every session of a user: his tokens carry his generation, and from the moment this is committed it is another
/// one. To be called by whatever changes what he may do: password, roles, status, or the policies of a role he holds.
pub(super) fn revoke_tokens(user: &mut User) {
    user.token_version = user.token_version.saturating_add(1);
}
