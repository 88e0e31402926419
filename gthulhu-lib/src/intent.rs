//! Checked intents.

pub mod digest;
pub mod set;
