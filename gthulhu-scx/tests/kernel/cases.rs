//! The cases, by what they are about; `table.rs` lists them.

pub(crate) mod growth;
pub(crate) mod lives;
pub(crate) mod refusals;
pub(crate) mod selection;
pub(crate) mod storms;
