//! The command line of the loads and probes, for the program and for tests that play it.

use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::{clock, hog, place, puppet, wake};

/// Loads and latency probes that schedulers are judged by.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Enter this cgroup first
    #[arg(long, global = true, value_name = "DIR")]
    cgroup: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Measure how much later than asked for a sleeping thread runs
    Wake(Wake),
    /// Compute in every thread; print how much, as JSON, at the end
    Hog(Hog),
    /// Do what the lines of the input say; see the library's module `puppet`
    Puppet {
        /// Print `ok` first
        #[arg(long)]
        greet: bool,
    },
    /// Wake up every millisecond until the input ends
    Pulse,
}

#[derive(Args)]
struct Wake {
    /// Threads that are woken, each on its own
    #[arg(long, default_value_t = 1, value_name = "N")]
    threads: usize,
    /// Mean microseconds from one wake-up to the next
    #[arg(long, default_value_t = 4000, value_name = "US", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    period_us: u64,
    /// The next wake-up is up to this many microseconds earlier or later than the period; at most the period
    #[arg(long, default_value_t = 1000, value_name = "US", value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    jitter_us: u64,
    /// Seconds to measure
    #[arg(long, default_value_t = 10.0, value_name = "S")]
    seconds: f64,
    /// Wake-ups of each thread, instead of seconds
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Hog {
    /// Threads that compute
    #[arg(long, default_value_t = 1, value_name = "N")]
    threads: usize,
    /// Seconds to compute; without, until the input ends
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

/// Does what this process's arguments say.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "gthulhu-probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> io::Result<()> {
    if let Some(cgroup) = &cli.cgroup {
        place::enter(cgroup)?;
    }
    let mut out = io::stdout();
    match cli.verb {
        Verb::Wake(wake) => {
            let summary = wake::measure(options(&wake));
            if wake.json { print(&summary) } else { writeln!(out, "{summary}") }
        }
        Verb::Hog(options) => {
            let hog = hog::Hog::start(options.threads);
            match options.seconds {
                Some(seconds) => clock::sleep(nanoseconds(seconds)),
                None => drop(io::copy(&mut io::stdin(), &mut io::sink())),
            }
            print(&hog.stop())
        }
        Verb::Puppet { greet } => {
            if greet {
                writeln!(out, "ok")?;
            }
            puppet::obey(BufReader::new(io::stdin()), out)
        }
        Verb::Pulse => {
            puppet::pulse_until_end(io::stdin());
            Ok(())
        }
    }
}

fn options(wake: &Wake) -> wake::Options {
    let (period, jitter) = (wake.period_us * 1000, wake.jitter_us.min(wake.period_us) * 1000);
    let of_time = usize::try_from(nanoseconds(wake.seconds) / period).unwrap_or(usize::MAX);
    let count = wake.count.unwrap_or(of_time).clamp(1, 100_000_000);
    wake::Options { threads: wake.threads.clamp(1, 10_000), period, jitter, count }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on both sides")]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds.clamp(0.0, 1e8) * 1e9) as u64
}

fn print(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)
}
