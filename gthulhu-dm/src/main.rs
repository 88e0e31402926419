//! `gthulhu-dm`: the command line of the decision maker.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gthulhu_http::{exit, settings::FileArgs};

/// The decision maker of a node: holds the intents that the manager pushes, finds the processes that they are for,
/// and tells schedulers which strategy each task has.
#[derive(Debug, Parser)]
#[command(name = "gthulhu-dm", version, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP API until SIGTERM or SIGINT
    ///
    /// Settings come from one TOML file (every key, its default and what it does: config/dm_config.toml) and from
    /// the environment: DM_SECTION_KEY sets one key, DM_CONFIG_NAME and DM_CONFIG_DIR_PATH choose the file. The one
    /// thing that must be set is the key that signs tokens, token.rsa_private_key_path.
    #[command(alias = "decisionmaker")]
    Serve(FileArgs),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(shown) => {
            // Help and version go to standard output and are no error. With the output gone nobody reads either.
            let _ = shown.print();
            return ExitCode::from(if shown.use_stderr() { exit::USAGE } else { 0 });
        }
    };
    let Command::Serve(files) = cli.command;
    exit::run_async("gthulhu-dm", gthulhu_dm::serve(&files))
}
