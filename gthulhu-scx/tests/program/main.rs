//! The program as a person at a terminal meets it, on a machine that need not be able to run a scheduler.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod cli;
mod config;
mod lacking;
mod off;
