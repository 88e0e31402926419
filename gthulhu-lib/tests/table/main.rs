//! The table between processes: one that was handed the file reads what the other publishes, and nobody can harm either.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod hostile;
mod other_process;
mod scarce;
mod stress;

use gthulhu_lib::strategy::{Entry, Resolved};

fn entry(priority: i64, start: u64) -> Entry {
    Entry::pack(Resolved::clamped(priority, 20_000_000), start)
}
