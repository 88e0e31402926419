//! One dm.
