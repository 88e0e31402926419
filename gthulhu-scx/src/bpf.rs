//! The kernel side as it was compiled: the skeletons that `build.rs` makes of `bpf/main.bpf.c` and `bpf/monitor.bpf.c`.
#![expect(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    unsafe_code,
    unused_qualifications,
    reason = "generated; its unsafe code is libbpf-cargo's"
)]

include!(concat!(env!("OUT_DIR"), "/main.skel.rs"));

/// What watches processes.
pub mod monitor {
    include!(concat!(env!("OUT_DIR"), "/monitor.skel.rs"));
}
