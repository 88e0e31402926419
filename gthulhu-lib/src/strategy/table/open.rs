//! Why a file is not taken for a table.

use std::io;

use thiserror::Error;

/// Why [`StrategyTable::open`](super::StrategyTable::open) refused.
#[derive(Debug, Error)]
pub enum OpenError {
    /// It was not made by a [`TableWriter`](super::TableWriter) of this version.
    #[error("this file is no table of strategies: {0}")]
    NoTable(&'static str),
    /// The system said no.
    #[error("cannot {0} the table")]
    System(&'static str, #[source] io::Error),
}
