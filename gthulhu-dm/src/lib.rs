//! The decision maker.

pub mod auth;
pub mod config;
pub mod fence;
pub mod metrics;
pub mod state;
