//! The scheduler in a real kernel: every case drives the real program inside a virtual machine.
//!
//! Started by cargo, this program stages itself and `gthulhu-scx` in a folder, boots the VM of `gthulhu-scx/vm` with it and
//! runs itself there, one boot for all cases; there it starts itself once more for each case. Where no VM can be had each
//! case is told as skipped.
//!
//! Arguments are those of a test program: words that a case's name must contain, `--exact`, `--list`. Environment:
//!
//! - `GTHULHU_SCX_KERNELS`: kernels separated by commas, each as `run.sh --kernel` takes it; `none` runs nothing.
//! - `GTHULHU_SCX_LONG`: also the long cases, and the long forms of the others.

#![expect(clippy::print_stdout, reason = "a test program reports to its standard output")]

mod boot;
mod cases;
mod guest;
mod table;
mod world;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A case's helpers are this very program, under names of their own choice.
    if env::var_os(world::PROBE).is_some() {
        return gthulhu_probe::cli::main();
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, names)) if first == guest::ALL => guest::run_all(names, false),
        Some((first, names)) if first == guest::ALL_LONG => guest::run_all(names, true),
        Some((first, [name])) if first == guest::ONE => guest::run_one(name, false),
        Some((first, [name])) if first == guest::ONE_LONG => guest::run_one(name, true),
        Some((first, [])) if first == guest::LOAD => guest::load(),
        _ => boot::run(&arguments),
    }
}
