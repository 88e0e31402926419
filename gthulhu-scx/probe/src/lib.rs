//! Loads and latency probes that schedulers are judged by: what they measure and do.
//!
//! All of it works from memory alone: while something is measured no file is read or written and nothing is allocated.

pub mod cli;
pub mod clock;
pub mod cpu_time;
pub mod hog;
pub mod place;
pub mod puppet;
pub mod samples;
pub mod wake;
