//! The decision maker.

pub mod api;
pub mod config;
pub mod fence;
pub mod metrics;
pub mod node;
pub mod state;
