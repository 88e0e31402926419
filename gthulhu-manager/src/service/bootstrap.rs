//! The first start: the built-in roles, and someone who administers.

use super::{Service, ServiceError, new_id, now_ms};
use crate::domain::{ADMIN_ROLE, Role, Status, User, WeakPassword, check_password, is_published};
use crate::store::audit::Origin;
use crate::store::{AuditEntry, Batch, Document};

/// Who administers when nobody is configured.
pub const DEFAULT_ADMIN: &str = "admin@localhost";

/// What the first start found or made.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Bootstrapped {
    /// The administrator, if he was made now.
    pub made: Option<String>,
    /// Why his configured password would be refused if he set it himself. It is accepted here; worth a warning.
    pub weak: Option<WeakPassword>,
}

/// Why the first start failed.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The configured password is one that examples print, or none.
    #[error("the administrator's password must not be empty or a published one")]
    PublishedPassword,
    /// The one-time password could not be kept for the operator, so nobody was made.
    #[error("the one-time password could not be kept: {0}")]
    NotKept(std::io::Error),
    /// The change was not made.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Service {
    /// Makes the built-in roles if they are missing or older, and an administrator: the one of `account` (username and password),
    /// active, if there is no such user; without `account`, and with no user at all, [`DEFAULT_ADMIN`], who must
    /// change the one-time password that `keep` is given first. A user who exists is never touched.
    ///
    /// `keep` is called before the user is made: a crash in between makes another password on the next start,
    /// instead of a user whose password nobody has.
    pub fn bootstrap(
        &self,
        account: Option<(&str, &str)>,
        keep: impl FnOnce(&str) -> std::io::Result<()>,
    ) -> Result<Bootstrapped, BootstrapError> {
        self.ensure_built_in_roles()?;
        let state = self.world.state();
        let Some((username, password)) = account else {
            if !state.users.is_empty() {
                return Ok(Bootstrapped::default());
            }
            let password = gthulhu_http::random::password();
            keep(&password).map_err(BootstrapError::NotKept)?;
            return Ok(self.add_admin(DEFAULT_ADMIN, &password, Status::MustChangePassword)?);
        };
        if is_published(password) {
            return Err(BootstrapError::PublishedPassword);
        }
        if state.user_named(username).is_some() {
            return Ok(Bootstrapped::default());
        }
        if password.is_empty() {
            return Err(BootstrapError::PublishedPassword);
        }
        let made = self.add_admin(username, password, Status::Active)?;
        Ok(Bootstrapped { weak: check_password(username, password).err(), ..made })
    }

    /// Built-in roles are what this version says they are, whatever an older one stored.
    fn ensure_built_in_roles(&self) -> Result<(), ServiceError> {
        let origin = Origin::system(now_ms());
        self.world.mutate(|state| {
            let mut batch = None;
            for role in Role::built_in(new_id, origin.at_ms) {
                let Some(stored) = state.role_named(&role.name) else {
                    let document = Document::Role(role);
                    let entry = AuditEntry::created(&origin, "role.create", &document);
                    batch = Some(Batch::going_on(batch, entry).create(document));
                    continue;
                };
                let before = &stored.value;
                let same = before.policies == role.policies && before.description == role.description;
                if before.is_built_in() && !same {
                    let after = Role { id: before.id, created_ms: before.created_ms, ..role };
                    let (before, after) = (Document::Role(before.clone()), Document::Role(after));
                    let entry = AuditEntry::changed(&origin, "role.update", &before, &after);
                    batch = Some(Batch::going_on(batch, entry).replace(stored.version, after));
                }
            }
            Ok((batch, ()))
        })
    }

    fn add_admin(
        &self,
        username: &str,
        password: &str,
        status: Status,
    ) -> Result<Bootstrapped, ServiceError> {
        let hash = self.hashing.hash(password)?;
        let origin = Origin::system(now_ms());
        self.world.mutate(|state| {
            if state.user_named(username).is_some() {
                return Ok((None, Bootstrapped::default()));
            }
            let user = Document::User(User {
                id: new_id(),
                username: username.to_string(),
                password: hash.clone(),
                status,
                roles: vec![ADMIN_ROLE.into()],
                token_version: 0,
                created_ms: origin.at_ms,
                updated_ms: origin.at_ms,
                creator: None,
            });
            let batch = Batch::audited(AuditEntry::created(&origin, "user.create", &user)).create(user);
            Ok((Some(batch), Bootstrapped { made: Some(username.to_string()), weak: None }))
        })
    }
}

#[cfg(test)]
mod tests;
