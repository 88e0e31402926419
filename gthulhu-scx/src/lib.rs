//! The sched_ext scheduler: makes strategies true in the kernel.

pub mod maps;
