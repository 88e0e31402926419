//! Logging in, seeing oneself, and changing one's own password.
//!
//! Whatever is wrong with a login, the answer and the work are the same: nobody learns which users exist. The work is one
//! hash of every cost that occurs among the stored hashes, whoever asks; only which of them counts differs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gthulhu_lib::id::Id;

use super::session::revoke_tokens;
use super::sessions::Opened;
use super::state::{Shelf, State};
use super::{Caller, Service, ServiceError, now_ms};
use crate::domain::{HashCost, PasswordHash, Status, User, WeakPassword, check_password};
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

/// Hashes of so many other costs are worth the work of hiding whose they are; the users of more show by their time.
const COSTS_MAX: usize = 4;

/// The costs of the hashes that users have.
#[derive(Default)]
pub(super) struct Costs(Mutex<Option<Known>>);

struct Known {
    /// Whose they are.
    users: Shelf<Id, User>,
    costs: Vec<HashCost>,
}

impl Costs {
    /// The cost of new hashes, and every other one that occurs among the users.
    fn of(&self, state: &State) -> Vec<HashCost> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| Arc::ptr_eq(&known.users, &state.users)) {
            return known.costs.clone();
        }
        let mut costs = vec![HashCost::CURRENT];
        for user in state.users.values() {
            let cost = user.value.password.cost();
            if !costs.contains(&cost) && costs.len() <= COSTS_MAX {
                costs.push(cost);
            }
        }
        *known = Some(Known { users: Arc::clone(&state.users), costs: costs.clone() });
        costs
    }
}

impl Service {
    /// Checks a password and opens a session. `origin` is of a stranger.
    pub fn login(&self, origin: &Origin, username: &str, password: &str) -> Result<Opened, ServiceError> {
        let state = self.world.state();
        let user = state.user_named(username);
        let id = user.map(|user| user.value.id);
        let attempt = self.throttle.attempt(username, origin.from, Instant::now()).map_err(|after| {
            self.note_login(origin, id, "too many failures");
            ServiceError::Throttled(after)
        })?;
        let hash = user.map_or_else(PasswordHash::nobody, |user| user.value.password.clone());
        let matches = self.verify(&state, &hash, password)?;
        let Some(user) = user.filter(|user| matches && user.value.status != Status::Inactive) else {
            attempt.failed();
            let reason = match user {
                None => "no such user",
                Some(_) if matches => "inactive user",
                Some(_) => "wrong password",
            };
            self.note_login(origin, id, reason);
            return Err(ServiceError::BadLogin);
        };
        attempt.succeeded();
        if !hash.is_current() {
            self.strengthen(&user.value, password);
        }
        self.open_session(origin, &user.value)
    }

    /// Is it the hash of this password? Costs the same for every hash, also for one that is nobody's.
    fn verify(&self, state: &State, hash: &PasswordHash, password: &str) -> Result<bool, ServiceError> {
        self.hashing.verify(hash, password, self.costs.of(state))
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
        let origin = caller.origin(request_id);
        let before = caller.session.user(&self.world.state())?.value.clone();
        let attempt = self.throttle.attempt(&before.username, origin.from, Instant::now());
        let attempt = attempt.map_err(|after| {
            self.note_login(&origin, Some(before.id), "too many failures");
            ServiceError::Throttled(after)
        })?;
        if !self.hashing.verify(&before.password, old, Vec::new())? {
            attempt.failed();
            self.note_login(&origin, Some(before.id), "wrong password");
            return Err(ServiceError::WrongPassword);
        }
        attempt.succeeded();
        check_password(&before.username, new)?;
        if before.status == Status::MustChangePassword && new == old {
            return Err(WeakPassword::Unchanged.into());
        }
        let hash = self.hashing.hash(new)?;
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
        let Ok(hash) = self.hashing.hash(password) else { return };
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

pub(super) fn replace_user(
    origin: &Origin,
    verb: &'static str,
    before: &User,
    after: User,
    version: u64,
) -> Batch {
    let (before, after) = (Document::User(before.clone()), Document::User(after));
    Batch::audited(AuditEntry::changed(origin, verb, &before, &after)).replace(version, after)
}

#[cfg(test)]
mod tests;
