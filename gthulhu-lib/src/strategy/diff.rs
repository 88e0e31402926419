//! Differences between two generations of the table.
