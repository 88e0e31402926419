//! The decision maker as a process whose disk fails or whose life ends: what it acknowledged, it holds.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod disk;
mod kill;
mod node;
mod set;
