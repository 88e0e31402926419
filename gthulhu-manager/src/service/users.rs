//! Listing, making and changing users.
//!
//! Nobody deals with a user who may do more than he: he would grant what he lacks, or take an account over that has it.
//! Whatever changes what a user may do ends his sessions with the answer that says so.

use std::sync::Arc;

use gthulhu_lib::id::Id;
use gthulhu_lib::intent::Invalid;

use super::access::{Granted, Needs, UserCreate, UserPasswordReset, UserPermissionUpdate, UserRead};
use super::page::{ByAge, Page, Paged};
use super::session::revoke_tokens;
use super::state::{State, Stored};
use super::{Service, ServiceError, new_id};
use crate::domain::{Status, User, check_password};
use crate::store::{AuditEntry, Batch, Document, Key};

/// The longest name of a user or a role, in characters.
pub const NAME_CHARS_MAX: usize = 254;
/// What a name looks like, apart from its length: no control characters, no blanks around it.
pub const NAME_PATTERN: &str =
    "^[^\\s\\x00-\\x1f\\x7f-\\x9f]([^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f])?$";

/// What becomes of a user; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The names of all his roles.
    pub roles: Option<Vec<String>>,
    /// What he may do.
    pub status: Option<Status>,
}

impl Service {
    /// Users, oldest first; with a grant that says `self`, the caller.
    pub fn users(&self, grant: &Granted<UserRead>, page: &Page<ByAge>) -> Paged<Arc<Stored<User>>> {
        let state = self.world.state();
        let shown = state.users.values().filter(|user| grant.concerns(user.value.id));
        page.of(shown.map(|user| ((user.value.created_ms, user.value.id), Arc::clone(user))))
    }

    /// Makes a user without roles, who must change this password, and returns his id.
    pub fn create_user(
        &self,
        grant: &Granted<UserCreate>,
        request_id: &str,
        username: &str,
        password: &str,
    ) -> Result<Id, ServiceError> {
        check_name("username", username)?;
        check_password(username, password).map_err(|weak| Invalid::new("password", weak.to_string()))?;
        let free = |state: &State| match state.user_named(username) {
            Some(_) => Err(ServiceError::UserExists),
            None => Ok(()),
        };
        // Before the work of hashing, too.
        free(&self.world.state())?;
        let hash = self.hashing.hash(password)?;
        let (origin, id) = (grant.origin(request_id), new_id());
        self.world.mutate(|state| {
            let grant = grant.again(state)?;
            free(state)?;
            let user = Document::User(User {
                id,
                username: username.to_string(),
                password: hash.clone(),
                status: Status::MustChangePassword,
                roles: Vec::new(),
                token_version: 0,
                created_ms: origin.at_ms,
                updated_ms: origin.at_ms,
                creator: Some(grant.uid()),
            });
            Ok((Some(Batch::audited(AuditEntry::created(&origin, "user.create", &user)).create(user)), id))
        })
    }

    /// Gives a user another password, which he must change. One who is inactive stays so.
    pub fn reset_password(
        &self,
        grant: &Granted<UserPasswordReset>,
        request_id: &str,
        id: Id,
        password: &str,
    ) -> Result<(), ServiceError> {
        let username = target(grant, &self.world.state(), id)?.value.username.clone();
        check_password(&username, password)?;
        let hash = self.hashing.hash(password)?;
        let origin = grant.origin(request_id);
        self.world.mutate(|state| {
            let stored = target(&grant.again(state)?, state, id)?;
            let status = match stored.value.status {
                Status::Inactive => Status::Inactive,
                Status::Active | Status::MustChangePassword => Status::MustChangePassword,
            };
            let mut after =
                User { password: hash.clone(), status, updated_ms: origin.at_ms, ..stored.value.clone() };
            revoke_tokens(&mut after);
            let (before, after) = (Document::User(stored.value.clone()), Document::User(after));
            let entry = AuditEntry::changed(&origin, "user.password.reset", &before, &after);
            Ok((Some(Batch::audited(entry).replace(stored.version, after)), ()))
        })?;
        // Guesses at the old password are no guesses at this one.
        self.throttle.forgive(&username);
        Ok(())
    }

    /// Changes a user's roles and status. There is always an administrator left.
    pub fn change_user(
        &self,
        grant: &Granted<UserPermissionUpdate>,
        request_id: &str,
        id: Id,
        change: &UserChange,
    ) -> Result<(), ServiceError> {
        let origin = grant.origin(request_id);
        self.world.mutate(|state| {
            let grant = grant.again(state)?;
            let stored = target(&grant, state, id)?;
            let before = &stored.value;
            let mut after = before.clone();
            if let Some(roles) = &change.roles {
                check_roles(state, roles)?;
                after.roles.clone_from(roles);
            }
            after.status = change.status.unwrap_or(before.status);
            if after == *before {
                return Ok((None, ()));
            }
            grant.demand_rights_of(state, &after)?;
            after.updated_ms = origin.at_ms;
            revoke_tokens(&mut after);
            let keeper =
                (before.is_admin() && !after.is_admin()).then(|| other_admin(state, id)).transpose()?;
            let held: Vec<_> =
                after.roles.iter().filter_map(|name| state.role_named(name)).cloned().collect();
            let (before, after) = (Document::User(before.clone()), Document::User(after));
            let entry = AuditEntry::changed(&origin, "user.permission.update", &before, &after);
            let mut batch = Batch::audited(entry).replace(stored.version, after);
            // It rests on these as they are now.
            for role in held {
                batch = batch.given(role.version, Key::Role(role.value.id));
            }
            if let Some(keeper) = keeper {
                batch = batch.given(keeper.version, Key::User(keeper.value.id));
            }
            Ok((Some(batch), ()))
        })
    }
}

/// The user whom the caller may deal with: himself, or anyone who may do no more than he.
fn target<'s, K: Needs>(
    grant: &Granted<K>,
    state: &'s State,
    id: Id,
) -> Result<&'s Stored<User>, ServiceError> {
    if !grant.concerns(id) {
        return Err(ServiceError::Forbidden);
    }
    let stored = state.users.get(&id).ok_or(ServiceError::NoUserToChange)?;
    grant.demand_rights_of(state, &stored.value)?;
    Ok(stored)
}

/// Somebody else who can log in and administer.
fn other_admin(state: &State, but: Id) -> Result<&Stored<User>, ServiceError> {
    let mut others = state.users.values().filter(|user| user.value.id != but);
    others.find(|user| user.value.is_admin()).map(|user| &**user).ok_or(ServiceError::LastAdmin)
}

/// Every name is a role's, and none occurs twice.
fn check_roles(state: &State, names: &[String]) -> Result<(), ServiceError> {
    let mut seen = std::collections::BTreeSet::new();
    let known = names.iter().all(|name| seen.insert(name) && state.role_named(name).is_some());
    if known { Ok(()) } else { Err(ServiceError::SomeRolesNotFound) }
}

/// A name that people can tell from others: not empty, not endless, without control characters or blanks around it.
pub(super) fn check_name(field: &str, name: &str) -> Result<(), Invalid> {
    let rule = if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        "must have 1 to 254 characters"
    } else if name.chars().any(char::is_control) {
        "must not contain control characters"
    } else if name.trim() != name {
        "must not begin or end with a blank"
    } else {
        return Ok(());
    };
    Err(Invalid::new(field, rule))
}

#[cfg(test)]
mod tests;
