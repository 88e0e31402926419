//! `run`: the life of the process.
//!
//! ```text
//!   intents file ──┐                                      ┌──> maps of the kernel side
//!   feed ──────────┼──letters──> worker: one thread ──────┤
//!   control socket ┘             governor, supervisor     ├──> feed: counters, events, explanations
//!                                      ^                   └──> table, for other programs
//!                                      └── events of the kernel side
//! ```
//!
//! One thread owns everything that matters; it is also the only one that keeps any capability. The others bring letters.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use gthulhu_http::exit::{self, Exit};
use gthulhu_http::socket::SocketError;
use gthulhu_http::supervised::Supervised;
use gthulhu_http::{logs, settings, shutdown};
use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::intent::Limits;
use gthulhu_lib::process::cgroup::{OwnDepth, Roots};
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::strategy::table::{PID_MAX_LIMIT, TableWriter};
use gthulhu_lib::wire::feed::Role;
use tokio::sync::oneshot;

use crate::cgroups::{Mount, Tree};
use crate::cli::RunArgs;
use crate::config::{Config, Node};
use crate::control::{ControlError, Server};
use crate::feed;
use crate::govern::Governor;
use crate::inbox::{Address, Letter, inbox};
use crate::intents_file::FileError;
use crate::intents_file::watch::Watch;
use crate::kernel::Kernel;
use crate::preflight::{self, Condition, Host};
use crate::privileges;
use crate::table;

mod answers;
mod standing;
mod worker;

use standing::Standing;
use worker::Worker;

/// Schedules until SIGTERM or SIGINT.
pub fn run(args: &RunArgs) -> Result<(), Exit> {
    let ready = settings::for_serving::<Config>(&args.file, settings::environment)?;
    logs::init(&ready.config.logging.level, logs::Format::Auto)?;
    ready.remark();
    let config = chosen(ready.config, args)?;
    let origin = Origin::of(&config);
    if !config.scheduler.enable {
        tracing::info!("scheduler.enable is false: scheduling is left to the kernel");
        return wait_to_be_stopped();
    }
    let host = Host::this(&config.node.cgroup_mount);
    match preflight::run(&host) {
        Err(lacking) if !config.scheduler.required && lacking.condition != Condition::Capabilities => {
            tracing::warn!(%lacking, "scheduler.required is false: scheduling is left to the kernel");
            return wait_to_be_stopped();
        }
        looked => looked?,
    }
    let mut governor = governor(&config.node)?;
    let control = Server::bind(&config.control.socket).map_err(|error| control_exit(&error))?;
    let readers = share(&config.table.socket, &mut governor)?;
    let (address, inbox) = inbox().map_err(|error| refused(&error))?;
    let limits = Limits { accept_any_priority: config.limits.accept_any_priority };
    let mut standing = Standing::new(&origin, governor.tree());
    let mut source = Source::open(&origin, limits)?;
    privileges::keep_needed().map_err(|error| refused(&error))?;

    let kernel = Kernel::new(&config.scheduler, host);
    let first = source.first();
    standing.intents.entries = first.as_ref().map_or(0, |wanted| wanted.entries);
    let (tell_end, end) = oneshot::channel();
    let honour = config.scheduler.honour_limits;
    let work = move || {
        let worker = Worker::new(kernel, governor, inbox, standing, honour, limits, Arc::new(Instant::now));
        // Nobody listens only if the main thread is on its way out.
        let _ = tell_end.send(worker.run(first));
    };
    thread::Builder::new().name("govern".to_owned()).spawn(work).map_err(|error| refused(&error))?;
    // The threads from here on have no capability at all.
    privileges::drop_all().map_err(|error| refused(&error))?;
    control.serve(address.clone()).map_err(|error| control_exit(&error))?;
    if let Some(readers) = &readers {
        readers.serve().map_err(|error| refused(&error))?;
    }
    source.start(&address)?;
    until_stopped(&address, end)
}

/// Does nothing, and can do nothing, until it is asked to stop.
pub(crate) fn wait_to_be_stopped() -> Result<(), Exit> {
    privileges::drop_all().map_err(|error| refused(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| refused(&error))?.block_on(async {
        let signals = shutdown::on_signals().map_err(|error| refused(&error))?;
        let supervised = Supervised::of_environment();
        supervised.ready();
        tokio::select! {
            () = signals.requested() => supervised.stopping(),
            never = supervised.keep_alive() => match never {},
        }
        Ok(())
    })
}

/// Where intents come from.
#[derive(Clone, Debug)]
enum Origin {
    File(PathBuf),
    Feed(PathBuf),
}

impl Origin {
    fn of(config: &Config) -> Self {
        let (file, socket) = (&config.intents.file, &config.feed.socket);
        if file.as_os_str().is_empty() { Self::Feed(socket.clone()) } else { Self::File(file.clone()) }
    }
}

/// The configuration with what the command line says. It is held to the same rules: both together can be wrong where neither
/// is alone.
fn chosen(mut config: Config, args: &RunArgs) -> Result<Config, Exit> {
    config.scheduler.honour_limits = args.honour_limits.unwrap_or(config.scheduler.honour_limits);
    config.table.socket = args.table.clone().unwrap_or(config.table.socket);
    if let Some(socket) = &args.feed {
        config.intents.file = PathBuf::new();
        config.feed.socket.clone_from(socket);
    }
    config.intents.file = args.intents.clone().unwrap_or(config.intents.file);
    config.wrong().into_iter().next().map_or(Ok(config), |finding| Err(finding.into()))
}

/// The source of intents, opened before capabilities are given up and started after.
enum Source {
    File(Box<Watch>, Option<crate::targets::Wanted>),
    Feed(PathBuf),
}

impl Source {
    fn open(origin: &Origin, limits: Limits) -> Result<Self, Exit> {
        Ok(match origin {
            Origin::File(path) => {
                let (watch, first) = Watch::start(path, limits).map_err(|error| file_exit(&error))?;
                Self::File(Box::new(watch), Some(first))
            }
            Origin::Feed(path) => Self::Feed(path.clone()),
        })
    }

    /// What is wanted at the start, if that is known.
    fn first(&mut self) -> Option<crate::targets::Wanted> {
        match self {
            Self::File(_, first) => first.take(),
            Self::Feed(_) => None,
        }
    }

    fn start(self, address: &Address) -> Result<(), Exit> {
        let to = address.clone();
        match self {
            Self::File(watch, _) => watch
                .spawn(move |news| {
                    to.send(match news {
                        Ok(wanted) => Letter::File(Box::new(wanted)),
                        Err(error) => Letter::FileRefused(error.to_string()),
                    })
                })
                .map_err(|error| refused(&error)),
            Self::Feed(path) => {
                let handle = feed::connect(path, Role::Scheduler, move |input| to.send(Letter::Feed(input)));
                address.send(Letter::Upward(handle.map_err(|error| refused(&error))?));
                Ok(())
            }
        }
    }
}

fn governor(node: &Node) -> Result<Governor, Exit> {
    let wrong = |error: &dyn std::fmt::Display| Exit::new(exit::CONFIG, format!("node.cgroup_root: {error}"));
    let cgroup_root = Some(node.cgroup_root.clone()).filter(|root| !root.is_empty());
    let roots = Roots::new(cgroup_root.as_deref(), OwnDepth::default()).map_err(|error| wrong(&error))?;
    let walk = WalkOptions { proc_root: node.proc_root.clone(), cgroup_root };
    let walk = ProcWalk::new(walk).map_err(|error| wrong(&error))?;
    let mount = Mount::find(&node.cgroup_mount)
        .map_err(|error| Exit::new(exit::CONFIG, format!("node.cgroup_mount: {error}")))?;
    tracing::info!(mount = %mount.path.display(), hybrid = mount.hybrid, "the cgroup tree");
    let engine = Engine::new(Box::new(walk), EngineOptions::default());
    let tree = Tree::new(mount, roots);
    let (proc_root, poll) = (node.proc_root.clone(), node.poll.get());
    Ok(Governor::new(engine, tree, proc_root, poll, Arc::new(Instant::now)))
}

/// The table for other programs and the socket at which they get it, if there is to be one.
fn share(socket: &Path, governor: &mut Governor) -> Result<Option<table::Server>, Exit> {
    if socket.as_os_str().is_empty() {
        return Ok(None);
    }
    let writer = TableWriter::try_new(PID_MAX_LIMIT).map_err(|error| refused(&error))?;
    let server = table::Server::bind(socket, governor.share(writer)).map_err(|error| table_exit(&error))?;
    tracing::info!(socket = %socket.display(), "other programs can get the table");
    Ok(Some(server))
}

/// Waits for a signal or for the worker's own end, whichever comes first, and for the end in any case.
fn until_stopped(address: &Address, end: oneshot::Receiver<Result<(), Exit>>) -> Result<(), Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| refused(&error))?;
    let ended = runtime.block_on(async {
        let signals = shutdown::on_signals().map_err(|error| refused(&error))?;
        let mut end = end;
        let ended = tokio::select! {
            ended = &mut end => ended,
            () = signals.requested() => {
                address.send(Letter::Stop);
                end.await
            }
        };
        Ok::<_, Exit>(ended)
    })?;
    // A thread that has panicked has said why in the log, and the kernel's own scheduler works again.
    ended.unwrap_or_else(|_| Err(Exit::new(exit::SOFTWARE, "the thread that governs has ended")))
}

fn refused(error: &std::io::Error) -> Exit {
    Exit::from_error(exit::OS_ERROR, error)
}

fn file_exit(error: &FileError) -> Exit {
    let code = match error {
        FileError::Read { .. } => exit::NO_INPUT,
        FileError::Wrong { .. } => exit::DATA,
    };
    Exit::new(code, error.to_string())
}

fn control_exit(error: &ControlError) -> Exit {
    let code = match error {
        ControlError::Taken(_) => exit::TEMPORARY,
        ControlError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            exit::NO_PERMISSION
        }
        _ => exit::CANNOT_CREATE,
    };
    Exit::new(code, format!("control.socket: {error}"))
}

fn table_exit(error: &SocketError) -> Exit {
    let code = match error {
        SocketError::InUse(_) => exit::TEMPORARY,
        SocketError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            exit::NO_PERMISSION
        }
        _ => exit::CANNOT_CREATE,
    };
    Exit::new(code, format!("table.socket: {error}"))
}

/// The path as people are told it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
