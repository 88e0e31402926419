//! Goals of speed, each a ratio to a rival that is measured in the same run.
//!
//! One module per goal; [`harness`] has the method that they share, [`fixtures`] the clusters and nodes that they work
//! on. What the figures were, and what they mean, is in this package's README.

use std::error::Error;

mod assembled;
pub mod capi;
pub mod compiled;
pub mod derive;
pub mod digest;
pub mod discover;
pub mod fixtures;
pub mod forks;
pub mod get;
pub mod goals;
pub mod harness;
pub mod instructions;
pub mod memo;
pub mod memory;
pub mod node;
pub mod page;
pub mod simulate;
pub mod table;
pub mod token;
pub mod walk;

/// A measurement that could not be made says why.
pub type Outcome<T> = Result<T, Box<dyn Error>>;
