//! The sched_ext scheduler: makes strategies true in the kernel.

pub mod cgroups;
pub mod config;
pub mod feed;
pub mod intents_file;
pub mod maps;
pub mod preflight;
pub mod supervise;
pub mod targets;
