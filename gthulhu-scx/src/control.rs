//! The socket on which a running scheduler answers questions about itself: of `status`, `stats` and `explain`.
//!
//! A connection is one question and one answer, each a frame as on the feed: a length (u32, little-endian) and as many
//! bytes of JSON. Only the owner of the process may connect.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod client;
mod frame;
mod server;

pub use client::ask;
pub use server::Server;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Question {
    /// How things stand.
    Status,
    /// What is counted.
    Stats,
    /// Why a task has the strategy that it has, or none.
    Explain {
        /// Number of the process or thread.
        pid: u32,
    },
}

/// The answer to a question: an object, or a sentence why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It.
    Ok(Value),
    /// Why there is none.
    Error(String),
}

/// Why a question was not answered, or the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("no scheduler answers at {}: is `gthulhu-scx run` running?", .0.display())]
    Nobody(PathBuf),
    /// Somebody else listens already.
    #[error("a scheduler answers at {} already", .0.display())]
    Taken(PathBuf),
    /// It did not answer in time.
    #[error("the scheduler at {} does not answer: it is stopped, or very busy", .0.display())]
    Silent(PathBuf),
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The socket.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// What came is no answer.
    #[error("what answers at {} is no scheduler", .0.display())]
    Foreign(PathBuf),
    /// It says why it has no answer.
    #[error("{0}")]
    Refused(String),
}

#[cfg(test)]
mod tests;
