//! The set of intents one node holds.
