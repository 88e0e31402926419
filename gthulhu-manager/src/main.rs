//! The manager's command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gthulhu_http::exit;
use gthulhu_http::settings::FileArgs;
use gthulhu_http::settings::cli::{self, Verb};
use gthulhu_manager::config::Config;
use gthulhu_manager::verbs::{self, Operation};

/// The manager of a cluster: keeps users, roles and strategies, watches pods, and pushes each node's decision maker the
/// intents that are for it.
#[derive(Debug, Parser)]
#[command(
    name = "gthulhu-manager",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_long_help = concat!(
        "Examples:
  gthulhu-manager init --dir ./state        make the keys of a first start, to look at them
  gthulhu-manager config check              look for mistakes in what serve would read
  gthulhu-manager serve --config ./my.toml  serve with this file
  MANAGER_SERVER_HOST=:9000 gthulhu-manager serve
                                            one key from the environment
  gthulhu-manager config show --effective   every setting, and where it comes from

Files:
  manager_config.toml  the settings; in ./config, /etc/gthulhu or /app/config
  /var/lib/gthulhu     [state].dir: keys, certificates, the store, and admin-password, the
                       one-time password of the first administrator

Environment:
  MANAGER_SECTION_KEY      sets one key, whether the file has it or not: MANAGER_SERVER_HOST is
                           the key host of [server]. It beats the file; an empty variable is
                           ignored. [[nodes]] has no variable.
  MANAGER_CONFIG_NAME      the file's name without .toml; beats -c
  MANAGER_CONFIG_DIR_PATH  the directory searched first; beats -d

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
    /// Settings come from one TOML file (every key, its default and what it does: config/manager_config.toml) and from
    /// the environment: MANAGER_SECTION_KEY sets one key, MANAGER_CONFIG_NAME and MANAGER_CONFIG_DIR_PATH choose the
    /// file. Nothing must be set: the first start makes keys and an administrator, whose one-time password is in the
    /// file admin-password of [state].dir. The log goes to standard error.
    #[command(alias = "manager")]
    Serve(FileArgs),
    /// Make the keys and certificates of a first start, and list what was made
    ///
    /// What is already there is never touched. The first serve does the same in [state].dir.
    Init {
        /// The state directory; made with mode 0700
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    #[command(flatten)]
    Operation(Operation),
    #[command(flatten)]
    Common(Verb),
}

fn main() -> ExitCode {
    match cli::parse::<Cli>() {
        Ok(Cli { command: Command::Serve(files) }) => {
            exit::run_async("gthulhu-manager", gthulhu_manager::serve(files))
        }
        Ok(Cli { command: Command::Init { dir } }) => {
            exit::run("gthulhu-manager", || gthulhu_manager::init_and_list(&dir))
        }
        Ok(Cli { command: Command::Operation(operation) }) => {
            exit::run("gthulhu-manager", || verbs::run(&operation))
        }
        Ok(Cli { command: Command::Common(verb) }) => cli::run::<Config, Cli>(&verb),
        Err(code) => code,
    }
}
