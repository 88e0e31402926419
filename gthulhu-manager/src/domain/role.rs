//! A role: a named set of policies, each allowing one permission within a scope.

use gthulhu_lib::id::Id;
use serde::{Deserialize, Serialize};

use super::Permission;

/// A named set of policies. Users hold roles by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Identity.
    pub id: Id,
    /// Unique, case-sensitive.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What the role allows; several policies with one key add up.
    pub policies: Vec<Policy>,
    /// When it was made.
    pub created_ms: i64,
    /// When it was last changed.
    pub updated_ms: i64,
    /// Who made it; absent for the role of the first start.
    pub creator: Option<Id>,
}

/// One permission within a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// What is allowed.
    pub permission: Permission,
    /// Only towards the caller's own user.
    #[serde(rename = "self")]
    pub own: bool,
    /// Only for pods of this namespace; empty means all.
    pub k8s_namespace: String,
    /// Only for strategies whose `strategyNamespace` is this; empty means all.
    pub policy_namespace: String,
}

impl Policy {
    /// The permission without any restriction.
    pub fn everywhere(permission: Permission) -> Self {
        Self { permission, own: false, k8s_namespace: String::new(), policy_namespace: String::new() }
    }

    /// Does it allow anything? One that is confined to what its permission is not about allows nothing: there are no
    /// users in a namespace.
    pub fn is_meaningful(&self) -> bool {
        let about = self.permission.about();
        (!self.own || about.somebody)
            && (self.k8s_namespace.is_empty() || about.pods)
            && (self.policy_namespace.is_empty() || about.strategies)
    }

    /// Does it allow everything that `other` does?
    pub fn includes(&self, other: &Policy) -> bool {
        let within = |mine: &str, its: &str| mine.is_empty() || mine == its;
        self.permission == other.permission
            && (!self.own || other.own)
            && within(&self.k8s_namespace, &other.k8s_namespace)
            && within(&self.policy_namespace, &other.policy_namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(permission: Permission, own: bool, k8s_namespace: &str, policy_namespace: &str) -> Policy {
        let (k8s_namespace, policy_namespace) = (k8s_namespace.into(), policy_namespace.into());
        Policy { permission, own, k8s_namespace, policy_namespace }
    }

    #[test]
    fn a_policy_includes_those_that_are_confined_at_least_as_much() {
        let create = Permission::StrategyCreate;
        let all = [
            policy(create, false, "", ""),
            policy(create, true, "", ""),
            policy(create, false, "red", ""),
            policy(create, false, "", "team"),
            policy(create, true, "red", "team"),
        ];
        let included = |mine: &Policy| all.iter().map(|other| mine.includes(other)).collect::<Vec<_>>();
        assert_eq!(included(&all[0]), [true, true, true, true, true]);
        assert_eq!(included(&all[1]), [false, true, false, false, true]);
        assert_eq!(included(&all[2]), [false, false, true, false, true]);
        assert_eq!(included(&all[3]), [false, false, false, true, true]);
        assert_eq!(included(&all[4]), [false, false, false, false, true]);
        assert!(!all[0].includes(&policy(Permission::StrategyRead, false, "", "")), "another permission");
        assert!(!all[2].includes(&policy(create, false, "blue", "")), "another namespace");
    }

    #[test]
    fn what_a_permission_is_not_about_cannot_confine_it() {
        for (permission, own, pods, strategies) in [
            (Permission::UserPasswordReset, true, false, false),
            (Permission::UserRead, true, false, false),
            (Permission::UserCreate, false, false, false),
            (Permission::RoleCreate, false, false, false),
            (Permission::PodPidRead, false, true, false),
            (Permission::StrategyDelete, true, true, true),
            (Permission::IntentRead, true, true, true),
        ] {
            assert!(Policy::everywhere(permission).is_meaningful());
            assert_eq!(policy(permission, true, "", "").is_meaningful(), own, "{permission} self");
            assert_eq!(policy(permission, false, "red", "").is_meaningful(), pods, "{permission} pods");
            assert_eq!(
                policy(permission, false, "", "t").is_meaningful(),
                strategies,
                "{permission} strategies"
            );
        }
    }
}
