//! Schedulers against each other, inside a virtual machine whose clock counts instructions: one CPU, a probe and hogs in
//! cgroups of equal weight. `gthulhu-scx/vm/bench.sh` starts it; `benches/README.md` has the method and the figures.

mod decision_maker;
mod goals;
mod load;
mod machine;
mod process;
mod row;
mod rows;
mod scheduler;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::goals::Verdict;
use crate::machine::{Machine, Programs};
use crate::row::Row;
use crate::rows::{Bench, Lengths};

/// Measure schedulers against each other; inside the benchmark's virtual machine only
#[derive(Parser)]
struct Cli {
    /// The scheduler's program
    #[arg(long, value_name = "FILE")]
    scheduler: PathBuf,
    /// The probe's program
    #[arg(long, value_name = "FILE")]
    probe: PathBuf,
    /// The decision maker's program
    #[arg(long, value_name = "FILE")]
    decision_maker: PathBuf,
    /// The folder with its keys, as `gthulhu-manager init` makes it
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// Guest seconds of each latency row
    #[arg(long, default_value_t = 10, value_name = "S")]
    seconds: u32,
    /// Guest seconds of each row of shares
    #[arg(long, default_value_t = 120, value_name = "S")]
    share_seconds: u32,
    /// Guest seconds before and during the stop of the decision maker and the scheduler's process
    #[arg(long, default_value_t = 30, value_name = "S")]
    stop_seconds: u32,
    /// How often the scheduler's process is killed
    #[arg(long, default_value_t = 20, value_name = "N")]
    kills: u32,
    /// Only see whether the arguments are right, and measure nothing
    #[arg(long)]
    check: bool,
    /// Rows to measure beside the controls: none, prio-N, share-N, crowd-N, stopped, killed, or controls for no other; all by default
    rows: Vec<Row>,
}

fn main() -> ExitCode {
    let mut out = io::stdout();
    match run(Cli::parse(), &mut out) {
        Ok(Verdict::Met) => ExitCode::SUCCESS,
        Ok(Verdict::Missed) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench-sched: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, out: &mut impl Write) -> io::Result<Verdict> {
    if cli.check {
        return Ok(Verdict::Met);
    }
    let machine = Machine::prepare(&Programs {
        scheduler: &cli.scheduler,
        probe: &cli.probe,
        decision_maker: &cli.decision_maker,
        keys: &cli.keys,
    })?;
    writeln!(
        out,
        "kernel {}, one CPU online, 4 hogs, each task in a cgroup of its own, all of equal weight",
        machine.release()
    )?;
    let lengths =
        Lengths { latency: cli.seconds, share: cli.share_seconds, stop: cli.stop_seconds, kills: cli.kills };
    let mut bench = Bench::new(machine, lengths, out);
    bench.controls()?;
    let rows = if cli.rows.is_empty() { row::ALL.to_vec() } else { cli.rows };
    for row in rows {
        bench.row(row)?;
    }
    Ok(bench.verdict())
}
