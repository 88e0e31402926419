//! The manager as a process, ended in every way a process can end: killed at any moment, out of space, started on a
//! damaged store or on one in use; an operator's commands beside it; and its certificates replaced while it works.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[cfg(feature = "mongodb")]
mod disputed;
mod full;
mod kill;
mod manager;
#[cfg(feature = "mongodb")]
mod migrate;
#[cfg(feature = "mongodb")]
mod mongo;
mod mtls;
mod operate;
#[cfg(feature = "mongodb")]
mod outage;
mod record;
mod refused;
mod store;
mod syscalls;
#[cfg(feature = "mongodb")]
mod takeover;
mod wire;
mod writers;
