//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use gthulhu_http::settings::FileArgs;
use gthulhu_http::settings::cli::Verb;

use crate::config::HonourLimits;

/// A scheduler for Linux's sched_ext class: gives processes of pods, cgroups, and single processes the priority and the
/// slice that intents ask for. Every decision is made in the kernel; this program only tells it what is wanted.
#[derive(Debug, Parser)]
#[command(
    name = "gthulhu-scx",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_long_help = "Examples:
  gthulhu-scx check                                    whether this machine can run it
  gthulhu-scx run --intents config/example-intents.json  run with the intents of a file
  gthulhu-scx run                                      run with the intents of the decision maker
  gthulhu-scx status                                   how the running one stands
  gthulhu-scx explain 4242                             why process 4242 has its strategy, or none
  gthulhu-scx monitor --once                           the processes of all pods, without scheduling
  gthulhu-scx monitor --feed /run/gthulhu/feed.sock    tell the decision maker of them

Files:
  scx_config.toml        the settings; in ./config, /etc/gthulhu or /app/config; may be missing
  /run/gthulhu/scx.sock  [control].socket: where status, stats and explain ask
  /run/gthulhu/feed.sock [feed].socket: where intents come from, without --intents
  [table].socket         where other programs get the table of strategies; none by default

Environment:
  SCX_SECTION_KEY      sets one key, whether the file has it or not: SCX_FEED_SOCKET is the key
                       socket of [feed]. It beats the file; an empty variable is ignored.
  SCX_CONFIG_NAME      the file's name without .toml; beats -c
  SCX_CONFIG_DIR_PATH  the directory searched first; beats -d

Exit codes:
  0   done; of run and monitor: stopped as asked, by SIGTERM or SIGINT
  64  the command line is wrong
  65  the file of intents is wrong; the message names line and field
  66  the configuration file or the file of intents is missing or cannot be read
  69  no running scheduler answers
  70  the kernel refused the programs, or a fault inside this one
  71  the system refused something it normally grants
  73  the control socket, or the table's, cannot be made
  74  reading or writing failed
  75  another scheduler is attached, or another gthulhu-scx runs
  77  a capability is missing
  78  the configuration is wrong, or this machine lacks something; the message names it"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Schedule until SIGTERM or SIGINT; then the kernel's own scheduler takes over again
    ///
    /// Settings come from one TOML file (every key, its default and what it does: config/scx_config.toml) and from the
    /// environment. The log goes to standard error; the line `attached` says that strategies act. When this program ends,
    /// in whatever way, the kernel's own scheduler works from then on.
    Run(RunArgs),
    /// Say whether this machine can run it, and what it lacks
    Check(FileArgs),
    /// Say how the running scheduler stands
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        /// Whom to ask
        #[command(flatten)]
        whom: Whom,
    },
    /// Print what the running scheduler counts
    Stats {
        /// Print JSON, one object a line
        #[arg(long)]
        json: bool,
        /// Again every second, until interrupted
        #[arg(long)]
        watch: bool,
        /// Whom to ask
        #[command(flatten)]
        whom: Whom,
    },
    /// Say why a process or thread has the strategy that it has, or none
    Explain {
        /// Number of the process or thread
        pid: u32,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        /// Whom to ask
        #[command(flatten)]
        whom: Whom,
    },
    /// Tell what becomes of the processes of pods; schedules nothing, and needs no sched_ext
    ///
    /// One JSON object a line: first each process of a pod (kind `appeared`), then whatever happens, as the kernel tells it:
    /// `appeared`, `renamed`, `thread-appeared`, `thread-gone`, `gone`. After a line `anew`, which is also the first, all are
    /// told again: more happened than could be told. It needs CAP_BPF and CAP_PERFMON, which it gives up at once.
    Monitor(MonitorArgs),
    /// What every program of the project has.
    #[command(flatten)]
    Common(Verb),
}

/// What `run` is told.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Take intents from this file, and again whenever it changes; beats [intents].file
    #[arg(long, value_name = "FILE", conflicts_with = "feed")]
    pub intents: Option<PathBuf>,
    /// Take intents from the decision maker at this socket; beats [feed].socket and [intents].file
    #[arg(long, value_name = "SOCKET")]
    pub feed: Option<PathBuf>,
    /// Give the table of strategies to other programs at this socket; beats [table].socket
    #[arg(long, value_name = "SOCKET")]
    pub table: Option<PathBuf>,
    /// What to do where CPU limits (cpu.max) cannot be enforced; beats [scheduler].honour_limits
    #[arg(long, value_name = "HOW")]
    pub honour_limits: Option<HonourLimits>,
    /// Which configuration file
    #[command(flatten)]
    pub file: FileArgs,
}

/// What `monitor` is told.
#[derive(Debug, Args)]
pub struct MonitorArgs {
    /// Tell who is there, and end
    #[arg(long, conflicts_with = "feed")]
    pub once: bool,
    /// Tell the decision maker at this socket, whenever it is there, and print nothing: then it finds processes by what it is
    /// told
    #[arg(long, value_name = "SOCKET")]
    pub feed: Option<PathBuf>,
    /// Which configuration file
    #[command(flatten)]
    pub file: FileArgs,
}

/// Which running scheduler is asked.
#[derive(Debug, Args)]
pub struct Whom {
    /// The one that answers at this socket; beats [control].socket
    #[arg(long, value_name = "SOCKET")]
    pub socket: Option<PathBuf>,
    /// Which configuration file
    #[command(flatten)]
    pub file: FileArgs,
}
