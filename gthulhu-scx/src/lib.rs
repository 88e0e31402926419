//! A sched_ext scheduler that makes strategies true in the kernel.
//!
//! ```text
//!   intents: a file, or the decision maker's feed
//!        | targets: pods, cgroups, processes
//!        v
//!     govern: engine + cgroup tree -> plan -> maps -> publish     (user space: says what is wanted)
//!   ---------------------------------------------------------------------------------------------
//!     bpf/: looks up each task's strategy at enqueue, decides     (kernel: the only one who decides)
//! ```
//!
//! Every scheduling decision is made in the kernel. When this program is slow, stopped or dead, nothing is waited for:
//! strategies stay as they were, and with its end the kernel's own scheduler works again.
//!
//! Where to look: the life of the process is [`run`]; what it may ask of the kernel is [`machine`], which [`kernel`]
//! answers with [`scheduler`] and [`maps`]; when it attaches again is [`supervise`]; what this machine must have is
//! [`preflight`]; what other programs look tasks up in is [`table`]; what a person asks is [`control`], [`status`], [`stats`] and [`explain`]. Without any scheduler, [`watch`] is
//! what the kernel tells of processes, and [`monitor`] tells it on.

pub mod ask;
mod bpf;
pub mod cgroups;
pub mod cli;
pub mod config;
pub mod control;
pub mod explain;
pub mod feed;
pub mod govern;
pub mod inbox;
pub mod intents_file;
pub mod kernel;
pub mod machine;
pub mod maps;
pub mod monitor;
pub mod preflight;
pub mod privileges;
pub mod run;
pub mod scheduler;
pub mod stats;
pub mod status;
pub mod supervise;
pub mod table;
pub mod targets;
pub mod watch;
