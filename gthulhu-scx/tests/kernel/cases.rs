//! The cases, by what they are about; `table.rs` lists them.

pub(crate) mod capabilities;
pub(crate) mod growth;
pub(crate) mod limits;
pub(crate) mod lives;
pub(crate) mod machine;
pub(crate) mod refusals;
pub(crate) mod selection;
pub(crate) mod storms;
