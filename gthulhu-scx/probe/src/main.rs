//! Loads and latency probes that schedulers are judged by.
fn main() {}
