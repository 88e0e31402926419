//! A role: a named set of policies, each allowing one permission within a scope.

use gthulhu_lib::id::Id;
use serde::{Deserialize, Serialize};

use super::Permission;

/// The role that holds every permission; it always exists.
pub const ADMIN_ROLE: &str = "admin";

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
}

impl Role {
    /// The administrators' role as the first start makes it: every permission, everywhere.
    pub fn admin(id: Id, now_ms: i64) -> Self {
        Self {
            id,
            name: ADMIN_ROLE.into(),
            description: "Everything".into(),
            policies: Permission::ALL.iter().copied().map(Policy::everywhere).collect(),
            created_ms: now_ms,
            updated_ms: now_ms,
            creator: None,
        }
    }
}
