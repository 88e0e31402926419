//! `/proc/PID/stat` and `/proc/PID/status`.
//!
//! Property: no text makes the readers panic. A name of any bytes, with any fields after it, is read back byte for byte
//! (as far as the kernel keeps names), and never moves a field: parent, start time and state are those that follow it.
#![no_main]

use gthulhu_lib::process::Comm;
use gthulhu_lib::process::walk::stat::{Stat, leader};
use libfuzzer_sys::fuzz_target;

// State, parent, number of threads, start time, and the name.
fuzz_target!(|data: &[u8]| {
    let _ = (Stat::parse(data), leader(data));
    let Some((numbers, name)) = data.split_first_chunk::<20>() else { return };
    let number = |from: usize| u64::from_le_bytes(std::array::from_fn(|at| numbers[from + at]));
    let state = char::from(b"RSDZTtXxKWPI"[usize::from(numbers[0]) % 12]);
    let parent = u32::from_le_bytes(std::array::from_fn(|at| numbers[1 + at]));
    let (threads, start) = (number(5), number(12));
    let after =
        format!(") {state} {parent} 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 {threads} 0 {start} 10 11\n");
    let whole = [&b"4242 ("[..], name, after.as_bytes()].concat();
    let stat = Stat::parse(&whole).expect("what the kernel writes is read");
    assert_eq!((stat.comm, stat.parent, stat.start), (Comm::new(name), parent, start));
    assert_eq!(stat.is_ended(), "ZXx".contains(state));
    assert_eq!(stat.is_dead(), stat.is_ended() && threads <= 1);

    // The kernel escapes newlines and backslashes in the name that `status` begins with.
    let escaped = String::from_utf8_lossy(name).replace('\\', "\\\\").replace('\n', "\\n");
    let status = format!("Name:\t{escaped}\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t{parent}\nNgid:\t0\n");
    assert_eq!(leader(status.as_bytes()), Some(parent));
});
