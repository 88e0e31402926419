//! How a daemon ends: one line on stderr and an exit code of sysexits(3).

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// The command line is wrong.
pub const USAGE: u8 = 64;
/// Input data is wrong.
pub const DATA: u8 = 65;
/// An input file is missing or cannot be read.
pub const NO_INPUT: u8 = 66;
/// A service that is needed cannot be reached or used (an address that is taken, a store that is locked).
pub const UNAVAILABLE: u8 = 69;
/// A fault inside the program.
pub const SOFTWARE: u8 = 70;
/// The system refused something it normally grants.
pub const OS_ERROR: u8 = 71;
/// A file cannot be created.
pub const CANNOT_CREATE: u8 = 73;
/// Reading or writing failed.
pub const IO_ERROR: u8 = 74;
/// A failure that a restart may cure.
pub const TEMPORARY: u8 = 75;
/// Something is not permitted.
pub const NO_PERMISSION: u8 = 77;
/// The configuration is wrong.
pub const CONFIG: u8 = 78;

/// How long blocking tasks may go on after the body of [`run_async`] has ended.
pub const LAST_TASKS: Duration = Duration::from_secs(2);

/// The most threads for work that waits: each leaves memory behind, so a flood of requests must not make hundreds.
const BLOCKING_THREADS: usize = 64;

/// The end of a daemon that did not do what it was started for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// One of the constants of this module.
    pub code: u8,
    /// What an operator should read: what failed and which rule or system error is behind it.
    pub message: String,
}

impl Exit {
    /// An end with this code and message.
    pub fn new(code: u8, message: impl Into<String>) -> Exit {
        Exit { code, message: message.into() }
    }

    /// An end whose message is the error followed by its causes, each after `: `.
    pub fn from_error(code: u8, error: &dyn Error) -> Exit {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            // Many errors already end with their cause.
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = inner.source();
        }
        Exit { code, message }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Exit {}

/// Runs the body of `main`. An error becomes exactly one line on stderr, `program: message`, and its code.
///
/// ```
/// use gthulhu_http::exit::{self, Exit};
/// let code = exit::run("gthulhu-example", || Err(Exit::new(exit::CONFIG, "server.host is empty")));
/// ```
pub fn run(program: &str, main: impl FnOnce() -> Result<(), Exit>) -> ExitCode {
    finish(program, main(), &mut std::io::stderr().lock())
}

/// As [`run`], for an asynchronous body on a multi-threaded runtime. Blocking tasks that outlive the body get
/// [`LAST_TASKS`] to end; they do not keep the process alive.
pub fn run_async(program: &str, main: impl Future<Output = Result<(), Exit>>) -> ExitCode {
    run(program, || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()
            .map_err(|error| Exit::new(OS_ERROR, format!("cannot start the runtime: {error}")))?;
        let outcome = runtime.block_on(main);
        runtime.shutdown_timeout(LAST_TASKS);
        outcome
    })
}

fn finish(program: &str, outcome: Result<(), Exit>, out: &mut impl Write) -> ExitCode {
    let Err(exit) = outcome else { return ExitCode::SUCCESS };
    // A message made of several lines would read as several failures.
    let message = exit.message.split_whitespace().collect::<Vec<_>>().join(" ");
    // With stderr gone there is nobody left to tell.
    let _ = writeln!(out, "{program}: {message}");
    ExitCode::from(exit.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the store")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn success_prints_nothing() {
        let mut out = Vec::new();
        assert_eq!(finish("gthulhu-dm", Ok(()), &mut out), ExitCode::SUCCESS);
        assert!(out.is_empty());
    }

    #[test]
    fn a_failure_is_one_line_and_its_code() {
        let mut out = Vec::new();
        let exit = Exit::new(CONFIG, "dm_config.toml:3:1: bad value\nfor server.host\n");
        assert_eq!(finish("gthulhu-dm", Err(exit), &mut out), ExitCode::from(78));
        assert_eq!(out, b"gthulhu-dm: dm_config.toml:3:1: bad value for server.host\n");
    }

    #[test]
    fn causes_follow_once_each() {
        let cause = std::io::Error::other("disk is full");
        assert_eq!(Exit::from_error(IO_ERROR, &Outer(cause)).message, "cannot open the store: disk is full");
    }

    #[test]
    fn an_asynchronous_body_runs_to_its_end() {
        let code = run_async("gthulhu-dm", async {
            tokio::task::yield_now().await;
            Ok(())
        });
        assert_eq!(code, ExitCode::SUCCESS);
    }
}
