//! The strategy table.
