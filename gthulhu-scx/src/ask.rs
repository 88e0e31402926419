//! The verbs that ask a running scheduler, and `check`, which asks the machine.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use gthulhu_http::exit::{self, Exit};
use gthulhu_http::settings::{self, Configuration, FileArgs};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::Whom;
use crate::config::Config;
use crate::control::{self, ControlError, Question};
use crate::preflight::{self, CONDITIONS, Host, Lacking};
use crate::stats::Stats;
use crate::status::Status;

/// Between two readings of `stats --watch`.
const EVERY: Duration = Duration::from_secs(1);

/// `check`: every condition with what was found; the first that fails says how this ends.
pub fn check(file: &FileArgs, out: &mut impl Write) -> Result<(), Exit> {
    let config = config(file)?;
    let host = Host::this(&config.node.cgroup_mount);
    let mut first = None;
    written(writeln!(out, "kernel {}", preflight::kernel_release()))?;
    for condition in CONDITIONS {
        let (mark, found) = match condition.look(&host) {
            Ok(found) => ("ok   ", found),
            Err(lacking) => {
                let told = lacking.to_string();
                first.get_or_insert(lacking);
                ("FAILS", told)
            }
        };
        written(writeln!(out, "{mark}  {:<28}{found}", condition.name()))?;
    }
    first.map_or(Ok(()), |lacking: Lacking| Err(lacking.into()))
}

/// `status`.
pub fn status(whom: &Whom, json: bool, out: &mut impl Write) -> Result<(), Exit> {
    let answer = ask(whom, Question::Status)?;
    if json {
        return written(writeln!(out, "{answer}"));
    }
    let status: Status = read(answer)?;
    written(out.write_all(status.text().as_bytes()))
}

/// `explain`.
pub fn explain(whom: &Whom, pid: u32, json: bool, out: &mut impl Write) -> Result<(), Exit> {
    let answer = ask(whom, Question::Explain { pid })?;
    if json {
        return written(writeln!(out, "{answer}"));
    }
    let text = answer.get("text").and_then(Value::as_str).unwrap_or_default();
    written(out.write_all(text.as_bytes()))
}

/// `stats`, once or again and again.
pub fn stats(whom: &Whom, json: bool, watch: bool, out: &mut impl Write) -> Result<(), Exit> {
    // Nobody ever sends: a wait that only time ends.
    let (_sender, never): (_, Receiver<()>) = channel();
    let mut earlier: Option<Stats> = None;
    loop {
        let answer = ask(whom, Question::Stats)?;
        if json {
            written(writeln!(out, "{answer}"))?;
        } else {
            let stats: Stats = read(answer)?;
            // A terminal that is watched is cleared first.
            let clear = if earlier.is_some() { "\x1b[H\x1b[2J" } else { "" };
            written(write!(out, "{clear}{}", stats.table(earlier.as_ref())))?;
            earlier = Some(stats);
        }
        written(out.flush())?;
        if !watch || never.recv_timeout(EVERY) == Err(RecvTimeoutError::Disconnected) {
            return Ok(());
        }
    }
}

fn config(file: &FileArgs) -> Result<Config, Exit> {
    Ok(settings::for_serving::<Config>(file, settings::environment)?.config)
}

fn ask(whom: &Whom, question: Question) -> Result<Value, Exit> {
    let socket = match &whom.socket {
        Some(socket) => socket.clone(),
        None => config(&whom.file)?.control.socket,
    };
    control::ask(&socket, question).map_err(|error| {
        let code = match &error {
            ControlError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                exit::NO_PERMISSION
            }
            ControlError::Refused(_) => exit::DATA,
            _ => exit::UNAVAILABLE,
        };
        Exit::new(code, error.to_string())
    })
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Exit> {
    serde_json::from_value(answer)
        .map_err(|error| Exit::new(exit::SOFTWARE, format!("the answer is not understood: {error}")))
}

/// A reader who has seen enough is no failure.
fn written(result: io::Result<()>) -> Result<(), Exit> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Exit::new(exit::IO_ERROR, format!("{}: cannot write the output: {error}", Config::PROGRAM)))
        }
        _ => Ok(()),
    }
}
