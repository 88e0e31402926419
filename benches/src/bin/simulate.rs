//! `simulate --nodes N --pods P`: one real manager against many real decision makers; see `simulate.rs`.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use gthulhu_benches::harness::Report;
use gthulhu_benches::simulate::{Size, run};

/// Measures how fast one manager brings many nodes to agree.
///
/// The manager is a process of its own. The decision makers are in this one, each with its own socket, thread, state file and
/// certificate. Times are printed; the exit status is 1 when a ratio, the hung node or the manager's memory misses its goal.
#[derive(Parser)]
struct Arguments {
    /// Nodes, each with a decision maker of its own
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    nodes: u32,
    /// Pods of all nodes together
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pods: u32,
}

fn main() -> ExitCode {
    let Arguments { nodes, pods } = Arguments::parse();
    let mut report = Report::new(io::stdout());
    match run(&mut report, Size { nodes, pods }) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Where would it be said that standard output is gone?
            let _ = report.line(&format!("simulate: {error}"));
            ExitCode::FAILURE
        }
    }
}
