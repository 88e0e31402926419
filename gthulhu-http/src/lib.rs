//! What every Gthulhu daemon needs around its own work.

pub mod call;
pub mod certs;
pub mod client;
pub mod error;
pub mod exit;
pub mod files;
pub mod health;
pub mod json;
pub mod keys;
pub mod limits;
pub mod logs;
pub mod metrics;
pub mod random;
pub mod reply;
pub mod route;
pub mod router;
pub mod server;
pub mod settings;
pub mod shutdown;
#[cfg(feature = "test-kit")]
pub mod testkit;
pub mod time;
pub mod tokens;
