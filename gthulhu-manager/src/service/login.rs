//! Logging in, seeing oneself, and changing one's own password.

use gthulhu_lib::id::Id;

use super::session::{Claims, revoke_tokens};
use super::{Caller, Service, ServiceError, now_ms};
use crate::domain::{PasswordHash, Status, User, WeakPassword, check_password};
use crate::store::audit::Origin;
use crate::store::{AuditEntry, Batch, Document};

/// A user as he sees himself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Identity.
    pub id: Id,
    /// His name.
    pub username: String,
    /// The names of his roles.
    pub roles: Vec<String>,
    /// What he may do.
    pub status: Status,
}

impl Service {
    /// Checks a password and returns the claims of a new access token. Whatever is wrong, the answer and the work
    /// are the same: nobody learns which users exist.
    pub fn login(&self, username: &str, password: &str) -> Result<Claims, ServiceError> {
        let state = self.world.state();
        let user = state.user_named(username);
        let hash = user.map_or_else(PasswordHash::nobody, |user| user.value.password.clone());
        let matches = self.hashing.run(|| hash.verify(password))?;
        let allowed = user.filter(|user| matches && user.value.status != Status::Inactive);
        let user = &allowed.ok_or(ServiceError::BadLogin)?.value;
        if !hash.is_current() {
            self.strengthen(user, password);
        }
        Ok(Claims::new(user, now_ms() / 1000, self.rules.access_ttl))
    }

    /// The caller himself.
    pub fn profile(&self, caller: &Caller) -> Result<Profile, ServiceError> {
        let state = self.world.state();
        let User { id, username, roles, status, .. } = caller.session.user(&state)?.value.clone();
        Ok(Profile { id, username, roles, status })
    }

    /// Replaces the caller's password. He is active afterwards, and every token he has is revoked.
    pub fn change_own_password(
        &self,
        caller: &Caller,
        request_id: &str,
        old: &str,
        new: &str,
    ) -> Result<(), ServiceError> {
        let before = caller.session.user(&self.world.state())?.value.clone();
        if !self.hashing.run(|| before.password.verify(old))? {
            return Err(ServiceError::WrongPassword);
        }
        check_password(&before.username, new)?;
        if before.status == Status::MustChangePassword && new == old {
            return Err(WeakPassword::Unchanged.into());
        }
        let hash = self.hashing.run(|| PasswordHash::new(new))?;
        let origin = caller.origin(request_id);
        self.world.mutate(|state| {
            let stored = caller.session.user(state)?;
            if stored.value.password != before.password {
                return Err(ServiceError::WrongPassword);
            }
            let mut after = User {
                password: hash.clone(),
                status: Status::Active,
                updated_ms: origin.at_ms,
                ..stored.value.clone()
            };
            revoke_tokens(&mut after);
            Ok((
                Some(replace_user(&origin, "user.password.change", &stored.value, after, stored.version)),
                (),
            ))
        })
    }

    /// Replaces a hash with outdated parameters. The login stands whether or not this succeeds; the next one tries
    /// again.
    fn strengthen(&self, user: &User, password: &str) {
        let Ok(hash) = self.hashing.run(|| PasswordHash::new(password)) else { return };
        let origin = Origin::system(now_ms());
        let replaced = self.world.mutate(|state| {
            let stored = state.users.get(&user.id).filter(|stored| stored.value.password == user.password);
            let batch = stored.map(|stored| {
                let after = User { password: hash.clone(), ..stored.value.clone() };
                replace_user(&origin, "user.password.rehash", &stored.value, after, stored.version)
            });
            Ok((batch, ()))
        });
        if let Err(error) = replaced {
            tracing::warn!(user = %user.id, %error, "an outdated password hash was not replaced");
        }
    }
}

fn replace_user(origin: &Origin, verb: &'static str, before: &User, after: User, version: u64) -> Batch {
    let (before, after) = (Document::User(before.clone()), Document::User(after));
    Batch::audited(AuditEntry::changed(origin, verb, &before, &after)).replace(version, after)
}

#[cfg(test)]
mod tests;
