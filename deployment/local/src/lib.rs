//! Gthulhu on one machine: both daemons as child processes, and pods that are real processes in real cgroups. `make
//! run` keeps them for a person to play with; `make demo` drives them over HTTP and compares every answer with the
//! kernel's own, and ends with what a strategy changes for a pod that contends for the CPU.
#![forbid(unsafe_code)]

pub mod background;
pub mod contention;
pub mod daemon;
pub mod demo;
pub mod error;
pub mod hints;
pub mod http;
pub mod interrupt;
pub mod kernel;
pub mod mongo;
pub mod output;
pub mod pods;
pub mod ports;
pub mod programs;
pub mod stack;
pub mod state;
pub mod wait;
pub mod workload;
pub mod workloads;
