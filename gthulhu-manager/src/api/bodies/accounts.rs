//! The bodies of users, roles and permissions.

use gthulhu_lib::id::Id;
use serde::{Deserialize, Serialize};

use crate::domain::Policy;

/// `POST /api/v1/users`
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::api) struct NewUserBody {
    /// Unique, case-sensitive.
    pub username: String,
    /// To be changed at the first login.
    pub password: String,
}

/// `PUT /api/v1/users/password`
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::api) struct ResetBody {
    /// Whose.
    #[serde(rename = "userID", alias = "userId")]
    pub user_id: String,
    /// To be changed at the next login.
    #[serde(rename = "newPassword")]
    pub new_password: String,
}

/// `PUT /api/v1/users/permissions`
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::api) struct UserBody {
    /// Whose.
    #[serde(rename = "userID", alias = "userId")]
    pub user_id: String,
    /// The names of all roles; absent for those he has.
    pub roles: Option<Vec<String>>,
    /// 1, 2 or 3; absent for the one he has.
    pub status: Option<i8>,
}

/// `GET /api/v1/users`
#[derive(Serialize)]
pub(in crate::api) struct UsersReply {
    /// Oldest first; `null` when there is none.
    pub users: Option<Vec<UserReply>>,
    /// Where the next page starts.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A user as others see him.
#[derive(Serialize)]
pub(in crate::api) struct UserReply {
    /// Identity.
    pub id: Id,
    /// Name.
    pub username: String,
    /// Role names; `null` when he has none.
    pub roles: Option<Vec<String>>,
    /// 1 active, 2 inactive, 3 must change the password.
    pub status: i64,
}

/// `POST /api/v1/roles`
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::api) struct NewRoleBody {
    /// Unique, case-sensitive.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What it allows.
    #[serde(rename = "rolePolicies", alias = "rolePolicy")]
    pub policies: Vec<PolicyBody>,
}

/// `PUT /api/v1/roles`; what is absent stays.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::api) struct RoleBody {
    /// Which one.
    pub id: String,
    /// Another name.
    pub name: Option<String>,
    /// Another text.
    pub description: Option<String>,
    /// All that it allows.
    #[serde(rename = "rolePolicy", alias = "rolePolicies")]
    pub policies: Option<Vec<PolicyBody>>,
}

/// `DELETE /api/v1/roles`
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::api) struct DeleteRoleBody {
    /// Which one.
    pub id: String,
}

/// One permission within a scope, in requests.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::api) struct PolicyBody {
    /// What is allowed.
    pub permission_key: String,
    /// Only towards oneself.
    #[serde(rename = "self")]
    pub own: bool,
    /// Only for pods of this namespace; empty for all.
    pub k8s_namespace: String,
    /// Only for strategies of this namespace; empty for all.
    pub policy_namespace: String,
}

/// `GET /api/v1/roles`
#[derive(Serialize)]
pub(in crate::api) struct RolesReply {
    /// Oldest first; `null` when there is none.
    pub roles: Option<Vec<RoleReply>>,
    /// Where the next page starts.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One role of a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct RoleReply {
    /// Identity.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What it allows; `null` when nothing.
    pub role_policy: Option<Vec<PolicyReply>>,
}

/// One permission within a scope, in answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PolicyReply {
    /// What is allowed.
    pub permission_key: &'static str,
    /// Only towards oneself.
    #[serde(rename = "self")]
    pub own: bool,
    /// Only for pods of this namespace; empty for all.
    pub k8s_namespace: String,
    /// Only for strategies of this namespace; empty for all.
    pub policy_namespace: String,
}

/// `GET /api/v1/permissions`
#[derive(Serialize)]
pub(in crate::api) struct PermissionsReply {
    /// All of them.
    pub permissions: Vec<PermissionReply>,
}

/// One permission of a list.
#[derive(Serialize)]
pub(in crate::api) struct PermissionReply {
    /// As roles name it.
    pub key: &'static str,
    /// For people.
    pub description: &'static str,
}

impl From<&Policy> for PolicyReply {
    fn from(policy: &Policy) -> Self {
        Self {
            permission_key: policy.permission.key(),
            own: policy.own,
            k8s_namespace: policy.k8s_namespace.clone(),
            policy_namespace: policy.policy_namespace.clone(),
        }
    }
}
