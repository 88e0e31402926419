//! The configuration file, the environment, and the verbs about them, as a person at a terminal meets them.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod check;
mod cli;
mod go;
mod keys;
mod place;
