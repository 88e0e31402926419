//! `ratio [NAME]...`: measures every goal, or those named, and prints a line for each.
//!
//! A goal that is missed says so and is no error: figures are for people to judge. A line that is absent is one.

use std::io::Write;
use std::process::ExitCode;

use gthulhu_benches::harness::Report;
use gthulhu_benches::{Outcome, derive, digest, get, memo, memory, page, token, walk};

type Measure<W> = fn(&mut Report<W>) -> Outcome<()>;

fn goals<W: Write>() -> [(&'static str, Measure<W>); 8] {
    [
        ("walk", walk::run),
        ("memo", memo::run),
        ("digest", digest::run),
        ("derive", derive::run),
        ("get", get::run),
        ("token", token::run),
        ("page", page::run),
        ("memory", memory::run),
    ]
}

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let goals = goals();
    if let Some(unknown) = wanted.iter().find(|name| goals.iter().all(|(goal, _)| goal != name)) {
        let _ = writeln!(std::io::stderr(), "ratio: there is no goal named {unknown}");
        return ExitCode::from(64);
    }
    let mut report = Report::new(std::io::stdout());
    let mut absent = Vec::new();
    for (name, measure) in goals {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        if let Err(error) = measure(&mut report) {
            // With standard error gone there is nobody left to tell, but the exit code.
            let _ = writeln!(std::io::stderr(), "ratio: {name} could not be measured: {error}");
            absent.push(name);
        }
    }
    if absent.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
