//! A user, and the status that decides what he may do.

use gthulhu_lib::id::Id;
use serde::{Deserialize, Serialize};

use super::{ADMIN_ROLE, PasswordHash};

/// One who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Identity.
    pub id: Id,
    /// Unique, case-sensitive.
    pub username: String,
    /// The password's hash, never the password.
    pub password: PasswordHash,
    /// What he may do.
    pub status: Status,
    /// The names of the roles he holds.
    pub roles: Vec<String>,
    /// His generation: tokens carry it, and one that carries another is revoked.
    pub token_version: u64,
    /// When he was made.
    pub created_ms: i64,
    /// When he was last changed.
    pub updated_ms: i64,
    /// Who made him; absent for the user of the first start.
    pub creator: Option<Id>,
}

impl User {
    /// May he log in and administer?
    pub fn is_admin(&self) -> bool {
        self.status != Status::Inactive && self.roles.iter().any(|role| role == ADMIN_ROLE)
    }
}

/// What a user may do. On the wire and in the store this is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum Status {
    /// 1: whatever his roles allow.
    Active,
    /// 2: nothing; his tokens are refused as well.
    Inactive,
    /// 3: only look at himself and change his password.
    MustChangePassword,
}

/// A number that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("status must be 1, 2 or 3, not {0}")]
pub struct UnknownStatus(pub i64);

impl From<Status> for i64 {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => 1,
            Status::Inactive => 2,
            Status::MustChangePassword => 3,
        }
    }
}

impl TryFrom<i64> for Status {
    type Error = UnknownStatus;

    fn try_from(number: i64) -> Result<Self, UnknownStatus> {
        match number {
            1 => Ok(Self::Active),
            2 => Ok(Self::Inactive),
            3 => Ok(Self::MustChangePassword),
            other => Err(UnknownStatus(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_of_three_numbers() {
        for number in 1..=3 {
            assert_eq!(i64::from(Status::try_from(number).unwrap()), number);
        }
        for number in [0, 4, -1, i64::MAX] {
            assert_eq!(Status::try_from(number), Err(UnknownStatus(number)));
        }
    }
}
