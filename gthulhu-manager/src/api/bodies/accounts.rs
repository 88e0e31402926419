//! The bodies of users, roles and permissions.

use gthulhu_lib::id::Id;
use gthulhu_lib::intent::patterns::NAMESPACE_OR_NONE;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::openapi::PermissionKey;
use crate::domain::{PASSWORD_CHARS, Policy};
use crate::service::{NAME_CHARS_MAX, NAME_PATTERN, POLICIES_MAX, TEXT_CHARS_MAX};

/// `POST /api/v1/users`
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["username", "password"]))]
pub(in crate::api) struct NewUserBody {
    /// Unique, case-sensitive.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX), regex(pattern = NAME_PATTERN))]
    pub username: String,
    /// To be changed at the first login.
    #[schemars(length(min = *PASSWORD_CHARS.start(), max = *PASSWORD_CHARS.end()))]
    pub password: String,
}

/// `PUT /api/v1/users/password`
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["userID", "newPassword"]))]
pub(in crate::api) struct ResetBody {
    /// Whose.
    #[serde(rename = "userID", alias = "userId")]
    #[schemars(with = "Id")]
    pub user_id: String,
    /// To be changed at the next login.
    #[serde(rename = "newPassword")]
    #[schemars(length(min = *PASSWORD_CHARS.start(), max = *PASSWORD_CHARS.end()))]
    pub new_password: String,
}

/// `PUT /api/v1/users/permissions`
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["userID"]))]
pub(in crate::api) struct UserBody {
    /// Whose.
    #[serde(rename = "userID", alias = "userId")]
    #[schemars(with = "Id")]
    pub user_id: String,
    /// The names of all roles; absent for those he has.
    pub roles: Option<Vec<String>>,
    /// 1, 2 or 3; absent for the one he has.
    #[schemars(range(min = 1, max = 3))]
    pub status: Option<i8>,
}

/// `GET /api/v1/users`
#[derive(Serialize, JsonSchema)]
pub(in crate::api) struct UsersReply {
    /// Oldest first; `null` when there is none.
    pub users: Option<Vec<UserReply>>,
    /// Where the next page starts.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A user as others see him.
#[derive(Serialize, JsonSchema)]
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
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["name"]))]
pub(in crate::api) struct NewRoleBody {
    /// Unique, case-sensitive.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX), regex(pattern = NAME_PATTERN))]
    pub name: String,
    /// Free text.
    #[schemars(length(max = TEXT_CHARS_MAX))]
    pub description: String,
    /// What it allows.
    #[serde(rename = "rolePolicies", alias = "rolePolicy")]
    #[schemars(length(max = POLICIES_MAX))]
    pub policies: Vec<PolicyBody>,
}

/// `PUT /api/v1/roles`; what is absent stays.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["id"]))]
pub(in crate::api) struct RoleBody {
    /// Which one.
    #[schemars(with = "Id")]
    pub id: String,
    /// Another name.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX), regex(pattern = NAME_PATTERN))]
    pub name: Option<String>,
    /// Another text.
    #[schemars(length(max = TEXT_CHARS_MAX))]
    pub description: Option<String>,
    /// All that it allows.
    #[serde(rename = "rolePolicy", alias = "rolePolicies")]
    #[schemars(length(max = POLICIES_MAX))]
    pub policies: Option<Vec<PolicyBody>>,
}

/// `DELETE /api/v1/roles`
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["id"]))]
pub(in crate::api) struct DeleteRoleBody {
    /// Which one.
    #[schemars(with = "Id")]
    pub id: String,
}

/// One permission within a scope, in requests.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["permissionKey"]))]
pub(in crate::api) struct PolicyBody {
    /// What is allowed.
    #[schemars(with = "PermissionKey")]
    pub permission_key: String,
    /// Only towards oneself.
    #[serde(rename = "self")]
    pub own: bool,
    /// Only for pods of this namespace; empty for all.
    #[schemars(regex(pattern = NAMESPACE_OR_NONE))]
    pub k8s_namespace: String,
    /// Only for strategies of this namespace; empty for all.
    #[schemars(length(max = TEXT_CHARS_MAX))]
    pub policy_namespace: String,
}

/// `GET /api/v1/roles`
#[derive(Serialize, JsonSchema)]
pub(in crate::api) struct RolesReply {
    /// Oldest first; `null` when there is none.
    pub roles: Option<Vec<RoleReply>>,
    /// Where the next page starts.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One role of a list.
#[derive(Serialize, JsonSchema)]
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
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PolicyReply {
    /// What is allowed.
    #[schemars(with = "PermissionKey")]
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
#[derive(Serialize, JsonSchema)]
pub(in crate::api) struct PermissionsReply {
    /// All of them.
    pub permissions: Vec<PermissionReply>,
}

/// One permission of a list.
#[derive(Serialize, JsonSchema)]
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
