//! How many instructions a lookup is, counted by valgrind: a figure that no neighbour moves, without a goal.

use std::hint::black_box;
use std::io::Write;
use std::process::Command;

use gthulhu::{gthulhu_table, gthulhu_table_free, gthulhu_table_lookup, gthulhu_table_open};
use gthulhu_lib::strategy::table::TableWriter;

use crate::Outcome;
use crate::harness::Report;
use crate::table::{PIDS, entries, stream};

/// Passes over the stream in the shorter and in the longer run.
const PASSES: [usize; 2] = [10, 60];

/// The kinds of lookups.
const KINDS: [&str; 4] = ["raw array", "table", "task in table", "C call"];

/// Counts and reports. `again` is the first argument with which this program calls [`count`].
pub fn run(report: &mut Report<impl Write>, again: &str) -> Outcome<()> {
    let lookups = (PASSES[1] - PASSES[0]) * stream().len();
    for (number, kind) in KINDS.iter().enumerate() {
        let [short, long] = PASSES.map(|passes| collected(again, number, passes));
        let spent = long?.saturating_sub(short?);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let each = spent as f64 / lookups as f64;
        report.line(&format!("instructions {kind}: {each:.1} a lookup"))?;
    }
    Ok(())
}

/// The instructions of a whole run of this program.
fn collected(again: &str, kind: usize, passes: usize) -> Outcome<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([again.to_owned(), kind.to_string(), passes.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.rsplit_once("Collected : "));
    count
        .and_then(|(_, count)| count.trim().parse().ok())
        .ok_or_else(|| format!("valgrind said: {text}").into())
}

/// Looks the stream up so many times, and does nothing else that depends on how many.
#[expect(unsafe_code, reason = "one kind is the function that C calls")]
pub fn count(kind: usize, passes: usize) -> Outcome<u64> {
    let mut writer = TableWriter::new(PIDS);
    writer.replace(entries(0));
    let mut raw = vec![0; PIDS as usize];
    for &(pid, entry) in writer.current() {
        raw[pid as usize] = entry.bits();
    }
    let stream = stream();
    let reader = writer.table().reader();
    let file = writer.table().file().ok_or("this system has no files for tables")?;
    // SAFETY: the descriptor is open, and NULL is allowed.
    let table = unsafe { gthulhu_table_open(std::os::fd::AsRawFd::as_raw_fd(&file), std::ptr::null_mut()) };
    let call: unsafe extern "C" fn(*const gthulhu_table, u32) -> u64 = black_box(gthulhu_table_lookup);
    let each =
        |word: &dyn Fn(&[u32]) -> u64| (0..passes).fold(0_u64, |sum, _| sum.wrapping_add(word(&stream)));
    let sum = match kind {
        0 => each(&|pids| pids.iter().fold(0, |sum, &pid| sum ^ raw[pid as usize])),
        1 => each(&|pids| pids.iter().fold(0, |sum, &pid| sum ^ reader.lookup_word(pid))),
        2 => each(&|pids| {
            pids.iter()
                .fold(0, |sum, &pid| sum ^ u64::from(reader.lookup_task(pid, u64::from(pid)).is_some()))
        }),
        // SAFETY: the table is freed below.
        _ => each(&|pids| pids.iter().fold(0, |sum, &pid| sum ^ unsafe { call(table, pid) })),
    };
    // SAFETY: nobody uses it any more.
    unsafe { gthulhu_table_free(table) };
    Ok(sum)
}
