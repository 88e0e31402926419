//! Listing, making, changing and deleting roles.
//!
//! A role allows only what its maker may do, and nobody changes one that allows more than he may. Roles do not contain
//! roles, so nothing can go round in circles.

use std::sync::Arc;

use gthulhu_lib::id::Id;
use gthulhu_lib::intent::{Invalid, check_namespace};

use super::access::{Granted, PermissionRead, RoleCreate, RoleDelete, RoleRead, RoleUpdate};
use super::page::{ByAge, Page, Paged};
use super::session::revoke_tokens;
use super::state::{State, Stored};
use super::users::check_name;
use super::{Service, ServiceError, new_id};
use crate::domain::{Permission, Policy, Role, User};
use crate::store::audit::Origin;
use crate::store::{AuditEntry, Batch, Document, Key};

/// The most policies of one role.
pub const POLICIES_MAX: usize = 1000;
/// The longest description of a role and the longest namespace of strategies, in characters.
pub const TEXT_CHARS_MAX: usize = 1024;

/// What a user writes to make a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Role`")]
pub struct RoleInput {
    pub name: String,
    pub description: String,
    pub policies: Vec<Policy>,
}

/// What becomes of a role; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Role`")]
pub struct RoleChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub policies: Option<Vec<Policy>>,
}

impl Service {
    /// Every permission there is.
    pub fn permissions(&self, _grant: &Granted<PermissionRead>) -> &'static [Permission] {
        Permission::ALL
    }

    /// Roles, oldest first.
    pub fn roles(&self, _grant: &Granted<RoleRead>, page: &Page<ByAge>) -> Paged<Arc<Stored<Role>>> {
        let state = self.world.state();
        page.of(state.roles.values().map(|role| ((role.value.created_ms, role.value.id), Arc::clone(role))))
    }

    /// Makes a role and returns its id.
    pub fn create_role(
        &self,
        grant: &Granted<RoleCreate>,
        request_id: &str,
        input: &RoleInput,
    ) -> Result<Id, ServiceError> {
        check_name("name", &input.name)?;
        check_text("description", &input.description)?;
        check_policies("rolePolicies", &input.policies)?;
        let (origin, id) = (grant.origin(request_id), new_id());
        self.world.mutate(|state| {
            let grant = grant.again(state)?;
            check_free(state, &input.name)?;
            grant.demand_all(state, &input.policies)?;
            let role = Document::Role(Role {
                id,
                name: input.name.clone(),
                description: input.description.clone(),
                policies: input.policies.clone(),
                created_ms: origin.at_ms,
                updated_ms: origin.at_ms,
                creator: Some(grant.uid()),
            });
            Ok((Some(Batch::audited(AuditEntry::created(&origin, "role.create", &role)).create(role)), id))
        })
    }

    /// Changes a role. Who holds it keeps it under another name, and loses his sessions when it allows other things.
    pub fn update_role(
        &self,
        grant: &Granted<RoleUpdate>,
        request_id: &str,
        id: Id,
        change: &RoleChange,
    ) -> Result<(), ServiceError> {
        change.name.as_ref().map_or(Ok(()), |name| check_name("name", name))?;
        change.description.as_ref().map_or(Ok(()), |text| check_text("description", text))?;
        change.policies.as_ref().map_or(Ok(()), |policies| check_policies("rolePolicy", policies))?;
        let origin = grant.origin(request_id);
        self.world.mutate(|state| {
            let grant = grant.again(state)?;
            let stored = changeable(state, id)?;
            let mut after = stored.value.clone();
            if let Some(name) = change.name.as_ref().filter(|name| **name != after.name) {
                check_free(state, name)?;
                after.name.clone_from(name);
            }
            change.description.iter().for_each(|text| after.description.clone_from(text));
            change.policies.iter().for_each(|policies| after.policies.clone_from(policies));
            if after == stored.value {
                return Ok((None, ()));
            }
            grant.demand_all(state, stored.value.policies.iter().chain(&after.policies))?;
            after.updated_ms = origin.at_ms;
            Ok((Some(replaced(state, &origin, stored, after)), ()))
        })
    }

    /// Deletes a role that nobody holds.
    pub fn delete_role(
        &self,
        grant: &Granted<RoleDelete>,
        request_id: &str,
        id: Id,
    ) -> Result<(), ServiceError> {
        let origin = grant.origin(request_id);
        self.world.mutate(|state| {
            grant.again(state)?;
            let stored = changeable(state, id)?;
            let holders = holders(state, &stored.value.name).count();
            if holders > 0 {
                return Err(ServiceError::RoleInUse(holders));
            }
            let entry = AuditEntry::deleted(&origin, "role.delete", &Document::Role(stored.value.clone()));
            Ok((Some(Batch::audited(entry).delete(stored.version, Key::Role(id))), ()))
        })
    }
}

/// The batch that replaces a role, and what its holders have of it.
fn replaced(state: &State, origin: &Origin, stored: &Stored<Role>, after: Role) -> Batch {
    let before = &stored.value;
    let (renamed, changed) = (after.name != before.name, after.policies != before.policies);
    let users: Vec<_> = holders(state, &before.name)
        .filter(|_| renamed || changed)
        .map(|holder| {
            let mut user = User { updated_ms: origin.at_ms, ..holder.value.clone() };
            user.roles
                .iter_mut()
                .filter(|name| **name == before.name)
                .for_each(|name| name.clone_from(&after.name));
            if changed {
                revoke_tokens(&mut user);
            }
            (holder, user)
        })
        .collect();
    let (before, after) = (Document::Role(before.clone()), Document::Role(after));
    let entry = AuditEntry::changed(origin, "role.update", &before, &after);
    let batch = Batch::audited(entry).replace(stored.version, after);
    users.into_iter().fold(batch, |batch, (holder, user)| {
        let (before, after) = (Document::User(holder.value.clone()), Document::User(user));
        batch.and(AuditEntry::changed(origin, "role.update", &before, &after)).replace(holder.version, after)
    })
}

fn holders<'s>(state: &'s State, role: &str) -> impl Iterator<Item = &'s Arc<Stored<User>>> {
    state.users.values().filter(move |user| user.value.roles.iter().any(|name| name == role))
}

/// The role, unless it is built in.
fn changeable(state: &State, id: Id) -> Result<&Stored<Role>, ServiceError> {
    let stored = state.roles.get(&id).ok_or(ServiceError::NoSuchRole)?;
    if stored.value.is_built_in() {
        return Err(ServiceError::BuiltInRole(stored.value.name.clone()));
    }
    Ok(stored)
}

fn check_free(state: &State, name: &str) -> Result<(), ServiceError> {
    state.role_named(name).map_or(Ok(()), |_| Err(ServiceError::RoleExists))
}

fn check_text(field: &str, text: &str) -> Result<(), Invalid> {
    match text.chars().count() {
        0..=TEXT_CHARS_MAX => Ok(()),
        _ => Err(Invalid::new(field, "must have at most 1024 characters")),
    }
}

fn check_policies(field: &str, policies: &[Policy]) -> Result<(), Invalid> {
    if policies.len() > POLICIES_MAX {
        return Err(Invalid::new(field, "must have at most 1000 entries"));
    }
    for (i, policy) in policies.iter().enumerate() {
        if !policy.k8s_namespace.is_empty() {
            check_namespace(&format!("{field}[{i}].k8sNamespace"), &policy.k8s_namespace)?;
        }
        check_text(&format!("{field}[{i}].policyNamespace"), &policy.policy_namespace)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
