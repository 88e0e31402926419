//! A session: what one login opened, and what its refresh token continues.

use gthulhu_lib::id::Id;
use serde::{Deserialize, Serialize};

/// One login that goes on. Access tokens name it, and end with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginSession {
    /// Identity; tells nothing about the refresh token.
    pub id: Id,
    /// Whose it is.
    pub user: Id,
    /// His generation when he logged in: once it is another one, the session is dead.
    pub generation: u64,
    /// Lower-hex SHA-256 of the one refresh token that is good; never shown.
    pub token_hash: String,
    /// When he logged in.
    pub created_ms: i64,
    /// When the refresh token was made.
    pub refreshed_ms: i64,
    /// When it ends, unless it is refreshed before.
    pub expires_ms: i64,
}
