//! The roles that always exist. Nobody changes or deletes them: the manager brings them up to date when it starts.

use gthulhu_lib::id::Id;

use super::{Permission, Policy, Role};

/// The role that holds every permission. Somebody who can log in always has it.
pub const ADMIN_ROLE: &str = "admin";

/// Names, descriptions and permissions of all of them.
const BUILT_IN: [(&str, &str, &[Permission]); 3] = [
    (ADMIN_ROLE, "Everything", Permission::ALL),
    ("operator", "Makes strategies, and sees what a viewer sees", OPERATOR),
    ("viewer", "Sees users, roles, nodes and processes, and strategies and intents of one's own", VIEWER),
];

const OPERATOR: &[Permission] = &[
    Permission::StrategyCreate,
    Permission::StrategyUpdate,
    Permission::StrategyDelete,
    Permission::IntentDelete,
    Permission::UserRead,
    Permission::RoleRead,
    Permission::PermissionRead,
    Permission::StrategyRead,
    Permission::IntentRead,
    Permission::PodPidRead,
];

const VIEWER: &[Permission] = &[
    Permission::UserRead,
    Permission::RoleRead,
    Permission::PermissionRead,
    Permission::StrategyRead,
    Permission::IntentRead,
    Permission::PodPidRead,
];

impl Role {
    /// All built-in roles, new; `id` makes an id for each.
    pub fn built_in(mut id: impl FnMut() -> Id, now_ms: i64) -> Vec<Self> {
        let role = |(name, description, permissions): &(&str, &str, &[Permission])| Self {
            id: id(),
            name: (*name).to_string(),
            description: (*description).to_string(),
            policies: permissions.iter().copied().map(Policy::everywhere).collect(),
            created_ms: now_ms,
            updated_ms: now_ms,
            creator: None,
        };
        BUILT_IN.iter().map(role).collect()
    }

    /// The administrators' role: every permission, everywhere.
    pub fn admin(id: Id, now_ms: i64) -> Self {
        Self::built_in(|| id, now_ms).swap_remove(0)
    }

    /// Is it one of them? One of the same name that a user made is his.
    pub fn is_built_in(&self) -> bool {
        self.creator.is_none() && BUILT_IN.iter().any(|(name, ..)| *name == self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_may_what_a_viewer_may_and_an_administrator_everything() {
        let id = Id::from_bytes([1; 12]);
        let roles = Role::built_in(|| id, 7);
        let names: Vec<_> = roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["admin", "operator", "viewer"]);
        let includes = |more: &Role, less: &Role| less.policies.iter().all(|p| more.policies.contains(p));
        assert!(includes(&roles[0], &roles[1]) && includes(&roles[1], &roles[2]));
        assert_eq!(roles[0].policies.len(), Permission::ALL.len());
        assert_eq!(Role::admin(id, 7), roles[0]);
    }

    #[test]
    fn a_role_of_the_same_name_that_a_user_made_is_his() {
        let id = Id::from_bytes([1; 12]);
        let role = Role::built_in(|| id, 0).swap_remove(2);
        assert!(role.is_built_in());
        assert!(!Role { creator: Some(id), ..role.clone() }.is_built_in());
        assert!(!Role { name: "Viewer".into(), ..role }.is_built_in());
    }
}
