//! The kernel side as it was compiled: the skeleton that `build.rs` makes of `bpf/main.bpf.c`.
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
