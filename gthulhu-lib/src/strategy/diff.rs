//! What differs between two generations of the table.
