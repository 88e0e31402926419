//! The /proc walk.
