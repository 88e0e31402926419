//! The permission keys: one enum, the texts that go over the wire, and what each is for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a permission is about, and so what a policy can confine it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Users, or what belongs to one: `self` can confine it.
    pub somebody: bool,
    /// Pods: their namespace can.
    pub pods: bool,
    /// Strategies: their namespace can.
    pub strategies: bool,
}

/// A key that is not one of [`Permission::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown permission key `{0}`")]
pub struct UnknownPermission(pub String);

macro_rules! permissions {
    ($($name:ident $key:literal $description:literal,)*) => {
        /// What a role may allow. The order is the one in which permissions are listed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum Permission {
            $(#[doc = $description] $name,)*
        }

        impl Permission {
            /// Every permission there is.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The key, as roles and requests spell it.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// A short phrase for people.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => $description,)* }
            }
        }
    };
}

permissions! {
    UserCreate "user.create" "Create users",
    UserPasswordReset "user.password.reset" "Reset a user's password",
    UserPermissionUpdate "user.permission.update" "Change a user's roles and status",
    UserRead "user.read" "List users",
    RoleCreate "role.create" "Create roles",
    RoleDelete "role.delete" "Delete roles",
    RoleUpdate "role.update" "Change roles",
    RoleRead "role.read" "List roles",
    PermissionRead "permission.read" "List permissions",
    StrategyRead "schedule_strategy.read" "List strategies",
    StrategyCreate "schedule_strategy.create" "Create strategies",
    IntentRead "schedule_intent.read" "List intents",
    StrategyDelete "schedule_strategy.delete" "Delete strategies",
    IntentDelete "schedule_intent.delete" "Delete intents",
    PodPidRead "pod_pid_mapping.read" "List nodes and the processes of their pods",
    StrategyUpdate "schedule_strategy.update" "Change strategies",
    AuditRead "audit.read" "Read the audit trail",
}

impl Permission {
    /// What it is about. A permission that is not named here is about nothing that could confine it.
    pub const fn about(self) -> About {
        match self {
            Self::UserPasswordReset | Self::UserPermissionUpdate | Self::UserRead => {
                About { somebody: true, pods: false, strategies: false }
            }
            Self::StrategyRead
            | Self::StrategyCreate
            | Self::StrategyUpdate
            | Self::StrategyDelete
            | Self::IntentRead
            | Self::IntentDelete => About { somebody: true, pods: true, strategies: true },
            Self::PodPidRead => About { somebody: false, pods: true, strategies: false },
            _ => About { somebody: false, pods: false, strategies: false },
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl From<Permission> for &'static str {
    fn from(permission: Permission) -> Self {
        permission.key()
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(key: &str) -> Result<Self, UnknownPermission> {
        let known = Self::ALL.iter().find(|permission| permission.key() == key);
        known.copied().ok_or_else(|| UnknownPermission(key.to_string()))
    }
}

impl TryFrom<String> for Permission {
    type Error = UnknownPermission;

    fn try_from(key: String) -> Result<Self, UnknownPermission> {
        key.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_listed_in_their_order_and_read_back() {
        let keys: Vec<_> = Permission::ALL.iter().map(|p| p.key()).collect();
        let expected = "user.create user.password.reset user.permission.update user.read role.create role.delete \
            role.update role.read permission.read schedule_strategy.read schedule_strategy.create \
            schedule_intent.read schedule_strategy.delete schedule_intent.delete pod_pid_mapping.read \
            schedule_strategy.update audit.read";
        assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
        for permission in Permission::ALL {
            assert_eq!(permission.key().parse(), Ok(*permission));
            let json = serde_json::to_string(permission).unwrap();
            assert_eq!(json, format!("\"{permission}\""));
            assert_eq!(serde_json::from_str::<Permission>(&json).unwrap(), *permission);
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        for key in ["", "user", "USER.CREATE", "user.create "] {
            let error = key.parse::<Permission>().unwrap_err();
            assert_eq!(error.to_string(), format!("unknown permission key `{key}`"));
        }
    }
}
