//! The decision maker as its callers see it: over HTTP with a planted proc file system, and as a real process.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod binary;
mod check;
mod cli;
mod config;
mod explain;
mod feed;
mod golden;
mod hostile;
mod node;
mod rig;
mod table;
mod tree;
