//! RS256 on ring.
