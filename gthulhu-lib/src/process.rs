//! Processes and where they come from.

pub mod cgroup;
pub mod walk;
