//! The second half of `make demo`: what a strategy changes in the kernel, in figures. It replaces the scheduler of the
//! machine that it runs on for as long as it measures. With `--in-vm MANAGER_DIR` that is a virtual machine whose clock
//! counts instructions, and MANAGER_DIR has what `gthulhu-manager init` made.

use std::path::Path;
use std::process::ExitCode;

use gthulhu_local::contention::machine::{Clock, Machine};
use gthulhu_local::contention::{self, rows::Rows};
use gthulhu_local::demo::Steps;
use gthulhu_local::error::LocalError;
use gthulhu_local::interrupt::Interrupt;
use gthulhu_local::output::{complain, say};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (clock, prepared) = match &arguments[..] {
        [] => (Clock::Real, None),
        [option, dir] if option == "--in-vm" => (Clock::Instructions, Some(Path::new(dir))),
        _ => {
            complain("usage: demo-kernel [--in-vm MANAGER_DIR]");
            return ExitCode::from(64);
        }
    };
    let mut steps = Steps::told();
    let error = match run(clock, prepared, &mut steps).await {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(judgement)) => LocalError::NotSeen(judgement),
        Err(error) => error,
    };
    say(&format!("\n{}", steps.table()));
    complain(&format!("demo: {error}"));
    ExitCode::from(error.exit_code())
}

/// Measures, unless it is asked to end before.
async fn run(
    clock: Clock,
    prepared: Option<&Path>,
    steps: &mut Steps,
) -> Result<Result<(), String>, LocalError> {
    let mut interrupt = Interrupt::listen()?;
    let machine = Machine::prepare(clock)?;
    say(&machine.to_string());
    let rows = tokio::select! {
        rows = contention::run(machine, prepared, steps) => rows?,
        () = interrupt.asked_to_end() => return Err(LocalError::process("demo", "interrupted")),
    };
    Ok(tell(&rows, clock))
}

fn tell(rows: &Rows, clock: Clock) -> Result<(), String> {
    let judgement = rows.judge(clock);
    say(&format!("\n{}\n\n{}", rows.table(), explain(clock)));
    judgement.map(|figures| say(&format!("\n{figures}")))
}

fn explain(clock: Clock) -> &'static str {
    match clock {
        Clock::Instructions => {
            "How late a thread runs that sleeps for about 4 ms, again and again, beside four pods of the same weight that\n\
             never sleep. One CPU, whose clock counts instructions (2 ns each): what else your machine does cannot be seen in\n\
             these figures, and the rows compare with one another. They say nothing of real hardware: not of its absolute\n\
             times, caches or several CPUs."
        }
        Clock::Real => {
            "How late a thread runs that sleeps for about 4 ms, again and again, beside four pods of the same weight that\n\
             never sleep, with a thread for each CPU. In real time, once: whatever else this machine does is in these\n\
             figures too."
        }
    }
}
