//! Inside: one process for each case, and a clean machine after it.

use std::fs;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use gthulhu_probe::{clock, place};
use gthulhu_scx::scheduler::{Loaded, Options, Scheduler};

use crate::table::{CASES, Case};
use crate::world::{self, World};

/// Runs the cases whose names follow, in this order.
pub(crate) const ALL: &str = "guest-all";
/// The same, with cases that take their time.
pub(crate) const ALL_LONG: &str = "guest-all-long";
/// Runs the one case whose name follows.
pub(crate) const ONE: &str = "guest-one";
/// The same, taking its time.
pub(crate) const ONE_LONG: &str = "guest-one-long";

/// Loads and attaches the kernel side, and takes it away again.
pub(crate) const LOAD: &str = "guest-load";

/// A case that is older than this many seconds is ended; in the long form it has more.
const PATIENCE: [u64; 2] = [600, 3600];
/// What the kernel says when something is wrong with it, or with a scheduler.
const ALARMS: [&str; 9] = [
    "BUG:",
    "WARNING:",
    "Oops",
    "general protection",
    "blocked for more than",
    "stall",
    "runtime error",
    "RCU",
    "sched_ext: ",
];

/// Everything that a case has said, and whether that was its failure.
struct Outcome {
    said: String,
    failure: Option<String>,
}

/// The report is that of any test program.
pub(crate) fn run_all(names: &[String], long: bool) -> ExitCode {
    if let Err(error) = world::bring_in_programs() {
        println!("test result: FAILED. 0 passed; 1 failed; 0 ignored; cannot copy the programs: {error}");
        return ExitCode::FAILURE;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!("\nkernel {}: running {} tests", release.trim(), names.len());
    let begun = clock::now();
    let (mut passed, mut failed) = (0, Vec::new());
    let cases = names.iter().filter_map(|name| CASES.iter().find(|case| case.name == *name));
    for case in cases {
        let started = clock::now();
        let outcome = run_apart(case, long).unwrap_or_else(|error| Outcome {
            said: String::new(),
            failure: Some(format!("cannot be run: {error}")),
        });
        let seconds = (clock::now() - started) / 1_000_000_000;
        let word = if outcome.failure.is_none() { "ok" } else { "FAILED" };
        println!("test {} ... {word} ({seconds} s)", case.name);
        for line in outcome.said.lines().filter(|line| line.starts_with("SKIPPED ")) {
            println!("{line}");
        }
        match outcome.failure {
            None => passed += 1,
            Some(failure) => {
                failed.push(case.name);
                println!("---- {}: {failure}\n{}----", case.name, outcome.said);
            }
        }
        let _ = io::stdout().flush();
    }
    let word = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {} failed; 0 ignored; 0 measured; 0 filtered out; {} s\n",
        failed.len(),
        (clock::now() - begun) / 1_000_000_000
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the case in a process and a cgroup of its own, then clears away whatever it has left.
fn run_apart(case: &Case, long: bool) -> io::Result<Outcome> {
    world::run("dmesg", &["--clear"])?;
    let log = Path::new("/run/case.log");
    let file = fs::File::create(log)?;
    let mut child = Command::new(world::program())
        .args([if long { ONE_LONG } else { ONE }, case.name])
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()?;
    let end = clock::now() + PATIENCE[usize::from(long)] * 1_000_000_000;
    let mut failure = loop {
        match child.try_wait()? {
            Some(status) if status.success() => break None,
            Some(status) => break Some(status.to_string()),
            None if clock::now() > end => break Some("it takes too long".to_owned()),
            None => clock::sleep(5_000_000),
        }
    };
    world::clear_cgroups()?;
    child.wait()?;
    let mut said = fs::read_to_string(log)?;
    let alarms = alarms(case)?;
    if !alarms.is_empty() {
        failure.get_or_insert_with(|| "the kernel complains".to_owned());
        said += &alarms;
    }
    if let Some(text) = world::await_state("disabled") {
        failure.get_or_insert(text);
    }
    Ok(Outcome { said, failure })
}

/// What it says when all is well, though it mentions sched_ext.
const PEACE: [&str; 3] =
    ["\" enabled", "disabled (unregistered from user space)", "unregistered from user space"];

/// The kernel's lines of alarm that the case does not call for.
fn alarms(case: &Case) -> io::Result<String> {
    let text = world::run("dmesg", &[])?;
    let expected = |line: &str| PEACE.iter().chain(case.kernel_says).any(|words| line.contains(words));
    let alarming = |line: &&str| ALARMS.iter().any(|alarm| line.contains(alarm)) && !expected(line);
    Ok(text.lines().filter(alarming).fold(String::new(), |said, line| said + "dmesg: " + line + "\n"))
}

/// The case itself.
pub(crate) fn run_one(name: &str, long: bool) -> ExitCode {
    let Some(case) = CASES.iter().find(|case| case.name == name) else { return ExitCode::FAILURE };
    let cgroup = world::cgroup("case");
    place::enter(&cgroup).expect("a new cgroup takes processes");
    let mut world = World::new(long);
    if panic::catch_unwind(AssertUnwindSafe(|| (case.run)(&mut world))).is_ok() {
        return ExitCode::SUCCESS;
    }
    println!("{}", world::last_words());
    ExitCode::FAILURE
}

/// Says why it cannot be loaded, if it cannot.
pub(crate) fn load() -> ExitCode {
    match Scheduler::load(&Options::default()).and_then(Loaded::attach) {
        Ok(attached) => {
            attached.detach();
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}
