//! Merkle root and digest of a set of intents.
