//! The manager as a process, ended in every way a process can end: killed at any moment, out of space, started on a
//! damaged store or on one in use; and an operator's commands beside it.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod full;
mod kill;
mod manager;
mod operate;
mod record;
mod refused;
mod store;
mod syscalls;
mod wire;
mod writers;
