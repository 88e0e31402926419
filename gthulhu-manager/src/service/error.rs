//! Everything an operation can refuse, with the text that the user reads.

use std::time::Duration;

use gthulhu_lib::intent::Invalid;

use crate::domain::{Permission, WeakPassword};
use crate::store::{CommitError, StoreError};

/// Why an operation did nothing. `Display` is the text for the user, except where [`ServiceError::kind`] says
/// [`ErrorKind::Internal`]: then it is for the log.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum ServiceError {
    #[error("invalid username or password")]
    BadLogin,
    #[error("too many logins at once")]
    Busy,
    #[error("too many failed logins, try again later")]
    Throttled(Duration),
    #[error("invalid or expired token")]
    BadToken,
    #[error("invalid token type")]
    BadTokenType,
    #[error("token revoked")]
    TokenRevoked,
    #[error("invalid refresh token")]
    BadRefreshToken,
    #[error("refresh token not found")]
    NoSuchRefreshToken,
    #[error("refresh token revoked")]
    RefreshTokenRevoked,
    #[error("user not found")]
    NoSuchUser,
    #[error("user is inactive")]
    InactiveUser,
    #[error("password change required")]
    MustChangePassword,
    #[error("permission denied")]
    Denied,
    #[error("invalid password")]
    WrongPassword,
    #[error("newPassword {0}")]
    WeakPassword(#[from] WeakPassword),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("no pods match the strategy criteria")]
    NoPodsMatch,
    #[error("no pods match the strategy criteria: there is no namespace {0}")]
    NoSuchNamespace(String),
    #[error("strategy not found or you don't have permission to update it")]
    NoStrategyToUpdate,
    #[error("strategy not found or you don't have permission to delete it")]
    NoStrategyToDelete,
    #[error("one or more intents not found or you don't have permission to delete them")]
    NoIntentsToDelete,
    #[error("user not found")]
    NoUserToChange,
    #[error("user already exists")]
    UserExists,
    #[error("role not found")]
    NoSuchRole,
    #[error("role already exists")]
    RoleExists,
    #[error("Some roles not found")]
    SomeRolesNotFound,
    #[error("role {0} is built in: nobody changes or deletes it")]
    BuiltInRole(String),
    #[error("role is still held; users who hold it: {0}")]
    RoleInUse(usize),
    #[error("there must always be an administrator who can log in")]
    LastAdmin,
    #[error("forbidden")]
    Forbidden,
    #[error("forbidden: you lack {0} to this extent")]
    Lacking(Permission),
    #[error("node not found")]
    NoSuchNode,
    #[error("pod not found")]
    NoSuchPod,
    #[error("the view of the cluster is not complete: {0}")]
    ClusterNotReady(String),
    #[error("someone else changed the same thing, try again")]
    Contended,
    #[error("the last epoch was handed out")]
    NoMoreEpochs,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What sort of refusal it is, for whoever turns it into a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller did not prove who he is.
    Unauthorized,
    /// He did, and may not.
    Forbidden,
    /// What is asked makes no sense.
    BadRequest,
    /// There is no such thing, or not for him.
    NotFound,
    /// It does not fit what is there.
    Conflict,
    /// A field breaks a rule.
    Unprocessable {
        /// The field, as the user spells it.
        field: String,
        /// The rule, as the rest of the sentence.
        rule: String,
    },
    /// Too many at once; try again after this.
    TooMany(Duration),
    /// Cannot be answered now; try again after this.
    Unavailable(Duration),
    /// A failure of ours; the text is for the log only.
    Internal,
}

impl ServiceError {
    /// What sort of refusal this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::BadLogin
            | Self::BadToken
            | Self::BadTokenType
            | Self::TokenRevoked
            | Self::BadRefreshToken
            | Self::NoSuchRefreshToken
            | Self::RefreshTokenRevoked
            | Self::NoSuchUser
            | Self::InactiveUser
            | Self::WrongPassword => ErrorKind::Unauthorized,
            Self::MustChangePassword | Self::Denied | Self::Forbidden | Self::Lacking(_) => {
                ErrorKind::Forbidden
            }
            Self::SomeRolesNotFound => ErrorKind::BadRequest,
            Self::UserExists
            | Self::RoleExists
            | Self::BuiltInRole(_)
            | Self::RoleInUse(_)
            | Self::LastAdmin => ErrorKind::Conflict,
            Self::NoPodsMatch
            | Self::NoSuchNamespace(_)
            | Self::NoStrategyToUpdate
            | Self::NoStrategyToDelete
            | Self::NoIntentsToDelete
            | Self::NoUserToChange
            | Self::NoSuchRole
            | Self::NoSuchNode
            | Self::NoSuchPod => ErrorKind::NotFound,
            Self::WeakPassword(weak) => {
                ErrorKind::Unprocessable { field: "newPassword".into(), rule: weak.to_string() }
            }
            Self::Invalid(invalid) => {
                ErrorKind::Unprocessable { field: invalid.field.clone(), rule: invalid.rule.clone() }
            }
            Self::Throttled(after) => ErrorKind::TooMany(*after),
            Self::Busy => ErrorKind::TooMany(Duration::from_secs(1)),
            Self::ClusterNotReady(_) | Self::Contended => ErrorKind::Unavailable(Duration::from_secs(1)),
            // The process restarts when its store fails; one that is away comes back.
            Self::Store(
                StoreError::Failed(_)
                | StoreError::Poisoned
                | StoreError::Unavailable(_)
                | StoreError::Taken { .. },
            ) => ErrorKind::Unavailable(Duration::from_secs(5)),
            Self::Store(StoreError::Damaged { .. } | StoreError::Refused(_)) | Self::NoMoreEpochs => {
                ErrorKind::Internal
            }
        }
    }
}

impl From<CommitError> for ServiceError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { .. } => Self::Contended,
            CommitError::Store(error) => Self::Store(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_failing_is_for_later_and_damage_is_ours() {
        let later = ErrorKind::Unavailable(Duration::from_secs(5));
        assert_eq!(ServiceError::from(StoreError::Poisoned).kind(), later);
        assert_eq!(ServiceError::from(StoreError::Failed("x".into())).kind(), later);
        let damaged = StoreError::Damaged { object: "user/1".into(), reason: "short".into() };
        assert_eq!(ServiceError::from(damaged).kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_broken_rule_names_the_field_and_reads_as_a_sentence() {
        let weak = ServiceError::from(WeakPassword::Length);
        assert_eq!(weak.to_string(), "newPassword must have 15 to 128 characters");
        let rule = "must have 15 to 128 characters".to_string();
        assert_eq!(weak.kind(), ErrorKind::Unprocessable { field: "newPassword".into(), rule });
    }
}
