//! Loads and latency probes that schedulers are judged by: the program.

use std::process::ExitCode;

fn main() -> ExitCode {
    gthulhu_probe::cli::main()
}
