//! `bench-lib [NAME]...`: the goals of the library and of its C functions, all or those named, a line for each.
//!
//! A goal that is missed says so; one that is absent, or worse than half of what it should be, is an error.

use std::hint::black_box;
use std::io::Write;
use std::process::ExitCode;

use gthulhu_benches::goals::{Measure, finish, run};
use gthulhu_benches::harness::Report;
use gthulhu_benches::{capi, discover, forks, instructions, memo, table};

/// With it this program is called by itself, under a counter of instructions.
const COUNT: &str = "--count";

fn goals<W: Write>() -> [(&'static str, Measure<W>); 6] {
    [
        ("table", table::run),
        ("c", capi::run),
        ("discover", discover::run),
        ("fork-to-known", forks::run),
        ("memo", memo::run),
        ("instructions", |report| instructions::run(report, COUNT)),
    ]
}

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let [first, kind, passes] = &wanted[..]
        && first == COUNT
    {
        let numbers = kind.parse().ok().zip(passes.parse().ok());
        let counted = numbers.map(|(kind, passes)| instructions::count(kind, passes));
        return if black_box(counted).is_some_and(|counted| counted.is_ok()) {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(64)
        };
    }
    let mut report = Report::new(std::io::stdout());
    let measured = run("bench-lib", &goals(), &wanted, &mut report);
    finish("bench-lib", measured, &report)
}
