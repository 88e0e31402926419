//! Goals `c-call` and `c-batch`: a lookup by the C API, called as a program in C calls it, against a raw array.

use std::convert::Infallible;
use std::hint::black_box;
use std::io::Write;

use gthulhu::{
    gthulhu_table, gthulhu_table_free, gthulhu_table_lookup, gthulhu_table_lookup_batch, gthulhu_table_open,
};
use gthulhu_lib::strategy::table::TableWriter;

use crate::Outcome;
use crate::harness::{Goal, Report, cpu_of, in_turns};
use crate::table::{PASSES, PIDS, TURNS, entries, note, stream};

/// Tasks that are looked up at once.
const BATCH: usize = 256;

type Lookup = unsafe extern "C" fn(*const gthulhu_table, u32) -> u64;
type LookupBatch = unsafe extern "C" fn(*const gthulhu_table, *const u32, *mut u64, usize, *mut u64) -> u32;

/// Measures and reports.
#[expect(unsafe_code, reason = "the functions are those that C calls")]
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let mut writer = TableWriter::new(PIDS);
    writer.replace(entries(0));
    let mut raw = vec![0; PIDS as usize];
    for &(pid, entry) in writer.current() {
        raw[pid as usize] = entry.bits();
    }
    let file = writer.table().file().ok_or("this system has no files for tables")?;
    let file = std::os::fd::AsRawFd::as_raw_fd(&file);
    // SAFETY: the descriptor is open, and NULL is allowed.
    let table = unsafe { gthulhu_table_open(file, std::ptr::null_mut()) };
    // Behind a pointer that the compiler knows nothing of, as behind the table of a shared library.
    let (call, batch): (Lookup, LookupBatch) =
        (black_box(gthulhu_table_lookup), black_box(gthulhu_table_lookup_batch));
    let stream = stream();
    let mut words = [0; BATCH];

    let floor = || sum(&stream, |pid| raw[pid as usize]);
    // SAFETY: the table is freed below.
    let by_call = || sum(&stream, |pid| unsafe { call(table, pid) });
    let mut by_batch = || {
        let mut total = 0_u64;
        for _ in 0..PASSES {
            for pids in stream.chunks(BATCH) {
                // SAFETY: both arrays hold as many as is said.
                unsafe { batch(table, pids.as_ptr(), words.as_mut_ptr(), pids.len(), std::ptr::null_mut()) };
                total = words[..pids.len()].iter().fold(total, |sum, &word| sum.wrapping_add(word));
            }
        }
        total
    };
    let sums = [floor(), by_call(), by_batch()];
    if sums != [sums[0]; 3] {
        return Err(format!("they do not find the same: {sums:?}").into());
    }
    let calls = in_turns::<Infallible>(TURNS, || Ok(cpu_of(floor)), || Ok(cpu_of(by_call)))?;
    report.ratio("c-call", calls.b_over_a(), Goal::AtMost(6.0))?;
    let batches = in_turns::<Infallible>(TURNS, || Ok(cpu_of(floor)), || Ok(cpu_of(&mut by_batch)))?;
    report.ratio("c-batch", batches.b_over_a(), Goal::AtMost(2.0))?;
    let [raw, each] = calls.each([1; 2]);
    note(report, "raw array, C call, C batch of 256", &[raw, each, batches.each([1; 2])[1]])?;
    // SAFETY: nobody uses it any more.
    unsafe { gthulhu_table_free(table) };
    Ok(())
}

#[inline(never)]
fn sum(stream: &[u32], word: impl Fn(u32) -> u64) -> u64 {
    let pass = |sum: u64, _| stream.iter().fold(sum, |sum, &pid| sum.wrapping_add(word(pid)));
    (0..PASSES).fold(0, pass)
}
