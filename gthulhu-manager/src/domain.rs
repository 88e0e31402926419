//! What the manager keeps: users, roles, sessions, strategies, exclusions and what each node acknowledged.
//!
//! Plain values and their own rules, nothing about how they are stored or served. Times are milliseconds since the
//! epoch. Intents are not here: they are derived from strategies, pods and exclusions, and never stored.

mod builtin;
mod password;
mod permission;
mod role;
mod session;
mod strategy;
mod user;

pub use builtin::ADMIN_ROLE;
pub use password::{
    HashCost, HashMemory, PASSWORD_CHARS, PasswordHash, WeakPassword, check_password, is_published,
};
pub use permission::{About, Permission, UnknownPermission};
pub use role::{Policy, Role};
pub use session::LoginSession;
pub use strategy::{Exclusion, NodeAck, Strategy};
pub use user::{Status, UnknownStatus, User};
