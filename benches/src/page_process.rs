//! `page`: the process whose allocations `ratio` reports; see `page.rs`.

use std::error::Error;
use std::io::Write;

use gthulhu_benches::page::{Counting, measure};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The allocator above.
#[derive(Clone, Copy)]
struct Memory;

impl Counting for Memory {
    fn now(self) -> usize {
        MEMORY.current_usage()
    }

    fn peak(self) -> usize {
        MEMORY.peak_usage()
    }

    fn forget(self) {
        MEMORY.reset_peak_usage();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    writeln!(std::io::stdout(), "{}", measure(Memory)?)?;
    Ok(())
}
