//! The source that always works: a walk over `/proc`.
