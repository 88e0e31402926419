//! Resolved strategies and the table that holds them.

pub mod diff;
pub mod table;
