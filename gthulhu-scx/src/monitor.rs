//! `monitor`: tells what becomes of the processes of pods. Needs no sched_ext, and no right but to load its programs,
//! which it gives up when they are loaded.

use std::io::{self, Write};
use std::iter;
use std::sync::mpsc::channel;
use std::thread;

use gthulhu_http::exit::{self, Exit};
use gthulhu_http::settings::Configuration as _;
use gthulhu_http::supervised::Supervised;
use gthulhu_http::{logs, settings, shutdown};
use gthulhu_lib::process::{Changes, ProcessSource, SourceError};
use gthulhu_lib::wire::feed::Processes;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::cli::MonitorArgs;
use crate::config::{Config, Node};
use crate::inbox::{Address, Inbox, Letter, inbox};
use crate::preflight::{self, Host};
use crate::privileges;
use crate::run::wait_to_be_stopped;
use crate::scheduler::LoadError;
use crate::watch::{BpfEvents, Unavailable, WatchOptions};

mod upward;

/// Tells until SIGTERM or SIGINT, or once.
pub fn run(args: &MonitorArgs, out: &mut impl Write) -> Result<(), Exit> {
    let ready = settings::for_serving::<Config>(&args.file, settings::environment)?;
    logs::init(&ready.config.logging.level, logs::Format::Auto)?;
    ready.remark();
    let Config { node, monitor, .. } = &ready.config;
    if args.feed.is_some() && !monitor.enable {
        tracing::info!("monitor.enable is false: the decision maker finds processes by itself");
        return wait_to_be_stopped();
    }
    let mut source = match source(node) {
        // What is missing, or a kernel that takes no such programs.
        Err(lacking)
            if args.feed.is_some()
                && !monitor.required
                && [exit::CONFIG, exit::SOFTWARE].contains(&lacking.code) =>
        {
            tracing::warn!(%lacking, "monitor.required is false: the decision maker finds processes by itself");
            return wait_to_be_stopped();
        }
        source => source?,
    };
    privileges::drop_all().map_err(|error| refused(&error))?;
    if args.once {
        let Processes { news, .. } = all(&mut source)?;
        return ended(print(out, &Processes { news, ..Processes::default() }));
    }
    let (address, inbox) = inbox().map_err(|error| refused(&error))?;
    stop_by_signals(address.clone()).map_err(|error| refused(&error))?;
    let supervised = Supervised::of_environment();
    supervised.ready();
    match args.feed.clone() {
        Some(socket) => upward::tell(&mut source, &inbox, address, socket)?,
        None => follow(&mut source, &inbox, |told| print(out, told))?,
    }
    supervised.stopping();
    Ok(())
}

/// From now on SIGTERM and SIGINT are a letter that says to stop. A second one ends the process at once.
fn stop_by_signals(address: Address) -> io::Result<()> {
    let (listens, ready) = channel();
    let wait = async move || {
        // Nobody waits for this any more only if the process is about to end.
        let signals = match shutdown::on_signals() {
            Ok(signals) => signals,
            Err(error) => return drop(listens.send(Err(error))),
        };
        let _ = listens.send(Ok(()));
        signals.requested().await;
        address.send(Letter::Stop);
        std::future::pending::<()>().await;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(wait()))?;
    ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that waits for signals has ended")))
}

/// The source, or what this machine lacks for it.
fn source(node: &Node) -> Result<BpfEvents, Exit> {
    let Node { cgroup_root, cgroup_mount, .. } = node;
    preflight::to_watch(&Host::this(cgroup_mount))?;
    let cgroup_root = Some(cgroup_root.clone()).filter(|root| !root.is_empty());
    let options = WatchOptions { cgroup_root, cgroup_mount: cgroup_mount.clone() };
    BpfEvents::new(&options).map_err(|error| {
        let code = match &error {
            Unavailable::Load(LoadError::NoPermission { .. }) => exit::NO_PERMISSION,
            Unavailable::Load(LoadError::Rejected { .. }) => exit::SOFTWARE,
            Unavailable::Load(LoadError::Other { .. }) | Unavailable::Unreadable { .. } => exit::OS_ERROR,
            _ => exit::CONFIG,
        };
        Exit::new(code, error.to_string())
    })
}

/// Tells who is there, and then what happens, until it is to stop or there is nobody to be told any more.
fn follow(
    source: &mut BpfEvents,
    inbox: &Inbox,
    mut tell: impl FnMut(&Processes) -> io::Result<()>,
) -> Result<(), Exit> {
    let mut told = all(source)?;
    loop {
        if let Err(error) = tell(&told) {
            return ended(Err(error));
        }
        if wait(inbox, Some(source))?.iter().any(|letter| matches!(letter, Letter::Stop)) {
            return Ok(());
        }
        told = news(source)?;
    }
}

/// Waits for letters and, if there is a source to wait for, for news. The letters that there are.
fn wait(inbox: &Inbox, source: Option<&BpfEvents>) -> Result<Vec<Letter>, Exit> {
    let fds = iter::once(inbox.fd()).chain(source.and_then(ProcessSource::wake_fd));
    let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    match poll(&mut fds, None) {
        Ok(_) | Err(Errno::INTR) => Ok(inbox.take()),
        Err(error) => Err(refused(&error.into())),
    }
}

/// What happened since the last call; all processes if that is not known.
fn news(source: &mut BpfEvents) -> Result<Processes, Exit> {
    match source.changes().map_err(|error| unseen(&error))? {
        Changes::List(changes) => Ok(Processes::changes(&changes)),
        Changes::Unknown => all(source),
    }
}

/// All processes of pods, by number.
fn all(source: &mut BpfEvents) -> Result<Processes, Exit> {
    let mut snapshot = source.snapshot_of_all_pods().map_err(|error| unseen(&error))?;
    snapshot.processes.sort_unstable_by_key(|process| process.id);
    Ok(Processes::all(&snapshot))
}

/// One JSON object a line. Before all are told anew there is a line that says so.
fn print(out: &mut impl Write, told: &Processes) -> io::Result<()> {
    if told.anew {
        writeln!(out, r#"{{"kind":"anew"}}"#)?;
    }
    for news in &told.news {
        serde_json::to_writer(&mut *out, news)?;
        writeln!(out)?;
    }
    out.flush()
}

/// A reader who has seen enough is no failure.
fn ended(written: io::Result<()>) -> Result<(), Exit> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Exit::new(exit::IO_ERROR, format!("{}: cannot write the output: {error}", Config::PROGRAM)))
        }
        _ => Ok(()),
    }
}

fn unseen(error: &SourceError) -> Exit {
    Exit::from_error(exit::IO_ERROR, error)
}

fn refused(error: &io::Error) -> Exit {
    Exit::from_error(exit::OS_ERROR, error)
}

#[cfg(test)]
mod tests {
    use gthulhu_lib::wire::feed::processes::{Command, News, ThreadBody};

    use super::*;

    #[test]
    fn a_line_is_one_thing_that_happened() {
        let news = vec![
            News::Renamed { pid: 42, start_time: 7, command: Command::Text("a\n\"b".to_owned()) },
            News::ThreadGone { pid: 42, start_time: 7, thread: ThreadBody { tid: 43, start_time: 8 } },
        ];
        let printed = |anew| {
            let mut text = Vec::new();
            print(&mut text, &Processes { anew, news: news.clone(), ..Processes::default() }).unwrap();
            String::from_utf8(text).unwrap()
        };
        let lines = "{\"kind\":\"renamed\",\"pid\":42,\"startTime\":7,\"command\":\"a\\n\\\"b\"}\n\
                     {\"kind\":\"thread-gone\",\"pid\":42,\"startTime\":7,\"thread\":{\"tid\":43,\"startTime\":8}}\n";
        assert_eq!(printed(false), lines);
        assert_eq!(printed(true), format!("{{\"kind\":\"anew\"}}\n{lines}"));
    }

    #[test]
    fn a_reader_who_has_gone_is_no_failure_and_a_full_disk_is() {
        assert!(ended(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert_eq!(ended(Err(io::ErrorKind::StorageFull.into())).unwrap_err().code, exit::IO_ERROR);
    }
}
