//! Signed tokens.

mod provider;
