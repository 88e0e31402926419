//! The manager's command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gthulhu_http::exit;
use gthulhu_http::settings::FileArgs;

/// Users, roles and strategies; watches pods; pushes each node its intents.
#[derive(Parser)]
#[command(name = "gthulhu-manager", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the manager until SIGTERM or Ctrl-C
    #[command(alias = "manager")]
    Serve {
        #[command(flatten)]
        file: FileArgs,
    },
    /// Make the keys and certificates of a first start, and list what was made
    ///
    /// What is already there is never touched. The first `serve` does the same in [state].dir.
    Init {
        /// The state directory; made with mode 0700
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::Serve { file } => exit::run_async("gthulhu-manager", gthulhu_manager::serve(file)),
        Verb::Init { dir } => exit::run("gthulhu-manager", || gthulhu_manager::init_and_list(&dir)),
    }
}
