//! The table of strategies.
