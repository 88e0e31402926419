//! The command line of the scheduler.
fn main() {}
