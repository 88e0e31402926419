//! `ratio [NAME]...`: measures every goal, or those named, and prints a line for each.
//!
//! A goal that is missed says so and is no error: figures are for people to judge. A line that is absent is one.

use std::io::Write;
use std::process::ExitCode;

use gthulhu_benches::goals::{Measure, run};
use gthulhu_benches::harness::Report;
use gthulhu_benches::{derive, digest, get, memo, memory, page, token, walk};

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
    let measured = run("ratio", &goals(), &wanted, &mut Report::new(std::io::stdout()));
    measured.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}
