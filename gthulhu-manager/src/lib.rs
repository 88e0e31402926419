//! The manager.

pub mod api;
pub mod cluster;
pub mod config;
pub mod domain;
pub mod nodes;
pub mod service;
pub mod store;
