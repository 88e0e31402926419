//! The manager's API as its callers see it: whole answers of a real router over a real store, a watched folder of
//! pods, and decision makers on real sockets.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod auth;
mod clients;
mod explain;
mod faults;
mod intents;
mod matrix;
mod nodes;
mod openapi;
mod people;
mod pods;
mod preview;
mod rig;
mod roles;
mod sessions;
mod strategies;
mod system;
mod types;
mod users;
