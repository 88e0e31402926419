//! `gthulhu-scx`: the command line of the scheduler.

use std::io;
use std::process::ExitCode;

use gthulhu_http::exit;
use gthulhu_http::settings::cli;
use gthulhu_scx::ask;
use gthulhu_scx::cli::{Cli, Command};
use gthulhu_scx::config::Config;

const PROGRAM: &str = "gthulhu-scx";

fn main() -> ExitCode {
    let command = match cli::parse::<Cli>() {
        Ok(Cli { command }) => command,
        Err(code) => return code,
    };
    let mut out = io::stdout().lock();
    match command {
        Command::Run(args) => exit::run(PROGRAM, || gthulhu_scx::run::run(&args)),
        Command::Check(file) => exit::run(PROGRAM, || ask::check(&file, &mut out)),
        Command::Status { json, whom } => exit::run(PROGRAM, || ask::status(&whom, json, &mut out)),
        Command::Stats { json, watch, whom } => {
            exit::run(PROGRAM, || ask::stats(&whom, json, watch, &mut out))
        }
        Command::Explain { pid, json, whom } => {
            exit::run(PROGRAM, || ask::explain(&whom, pid, json, &mut out))
        }
        Command::Monitor(args) => exit::run(PROGRAM, || gthulhu_scx::monitor::run(&args, &mut out)),
        Command::Common(verb) => {
            drop(out);
            cli::run::<Config, Cli>(&verb)
        }
    }
}
