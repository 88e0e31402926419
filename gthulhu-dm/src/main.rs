//! `gthulhu-dm`: the command line of the decision maker.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gthulhu_dm::config::Config;
use gthulhu_http::exit;
use gthulhu_http::settings::FileArgs;
use gthulhu_http::settings::cli::{self, Verb};

/// The decision maker of a node: holds the intents that the manager pushes, finds the processes that they are for,
/// and tells schedulers which strategy each task has.
#[derive(Debug, Parser)]
#[command(
    name = "gthulhu-dm",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_long_help = concat!(
        "Examples:
  gthulhu-dm config check                     look for mistakes in what serve would read
  gthulhu-dm serve --config ./dm_config.toml  serve with this file
  DM_SERVER_HOST=:9000 gthulhu-dm serve       one key from the environment
  gthulhu-dm config show --effective          every setting, and where it comes from

Files:
  dm_config.toml    the settings; in ./config, /etc/gthulhu or /app/config
  /var/lib/gthulhu  [state].dir: the intents and their numbers, which survive a restart

Environment:
  DM_SECTION_KEY      sets one key, whether the file has it or not: DM_SERVER_HOST is the key
                      host of [server]. It beats the file; an empty variable is ignored.
  DM_CONFIG_NAME      the file's name without .toml; beats -c
  DM_CONFIG_DIR_PATH  the directory searched first; beats -d
  NODE_NAME           the node's name, if [node].name is empty

",
        gthulhu_http::exit_codes_help!()
    )
)]
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
    /// thing that must be set is the key that signs tokens, token.rsa_private_key_path. The log goes to standard error.
    #[command(alias = "decisionmaker")]
    Serve(FileArgs),
    #[command(flatten)]
    Common(Verb),
}

fn main() -> ExitCode {
    match cli::parse::<Cli>() {
        Ok(Cli { command: Command::Serve(files) }) => {
            exit::run_async("gthulhu-dm", gthulhu_dm::serve(&files))
        }
        Ok(Cli { command: Command::Common(verb) }) => cli::run::<Config, Cli>(&verb),
        Err(code) => code,
    }
}
