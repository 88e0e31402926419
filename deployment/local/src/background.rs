//! A program as a child process: started with nothing of our environment, its output in a log file, ended by SIGTERM.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::error::LocalError;
use crate::programs;
use crate::state::StateDir;

/// A daemon drains for at most 25 s; a little more and it hangs.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// How much of a log an error shows.
const TAIL_LINES: usize = 12;

/// A running program. Dropping it ends it.
#[derive(Debug)]
pub struct Background {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Background {
    /// Starts `name` with `arguments` and only `env` for an environment. It logs to a file in `state`.
    pub fn start(
        state: &StateDir,
        name: &str,
        arguments: &[&OsStr],
        env: &[(&str, &str)],
    ) -> Result<Self, LocalError> {
        let log = state.path().join(format!("{name}.log"));
        let output = File::create(&log).map_err(LocalError::file(&log))?;
        let errors = output.try_clone().map_err(LocalError::file(&log))?;
        let mut command = program(name)?;
        command.args(arguments).envs(env.iter().copied()).stdout(output).stderr(errors);
        let child = command.spawn().map_err(|error| LocalError::process(name, error))?;
        let started = Self { name: name.to_owned(), child, log };
        state.record(started.child.id())?;
        Ok(started)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended.
    pub fn check(&mut self) -> Result<(), LocalError> {
        match self.child.try_wait().map_err(|error| LocalError::process(&self.name, error))? {
            Some(status) => Err(self.problem(&format!("ended at once ({status})"))),
            None => Ok(()),
        }
    }

    /// An error of this program, with the end of its log.
    pub fn problem(&self, problem: &str) -> LocalError {
        LocalError::process(&self.name, format!("{problem}\n{}", self.tail()))
    }

    /// Asks it to end and waits until it has; ending with an error, or not in time, is an error.
    pub fn stop(&mut self) -> Result<(), LocalError> {
        let status = self.terminate()?;
        if status.success() { Ok(()) } else { Err(self.problem(&format!("ended with {status}"))) }
    }

    fn terminate(&mut self) -> Result<ExitStatus, LocalError> {
        let failed = |error| LocalError::process(&self.name, error);
        if let Some(status) = self.child.try_wait().map_err(failed)? {
            return Ok(status);
        }
        // Not waited for yet, so the pid cannot be anybody else's.
        let failed = |error: rustix::io::Errno| LocalError::process(&self.name, error);
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| LocalError::process(&self.name, "has no process id"))?;
        let ended = pidfd_open(pid, PidfdFlags::empty()).map_err(failed)?;
        kill_process(pid, Signal::TERM).map_err(failed)?;
        let wait = Timespec { tv_sec: STOP_WITHIN.as_secs().cast_signed(), tv_nsec: 0 };
        if poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&wait)).map_err(failed)? == 0 {
            return Err(self.problem(&format!("still running {} s after SIGTERM", STOP_WITHIN.as_secs())));
        }
        self.child.wait().map_err(|error| LocalError::process(&self.name, error))
    }

    fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.len().saturating_sub(TAIL_LINES);
        lines[first..].join("\n")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if self.terminate().is_err() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// Runs `name` with `arguments` to its end and returns what it printed.
pub fn run_to_end(name: &str, arguments: &[&OsStr]) -> Result<String, LocalError> {
    let output = program(name)?.args(arguments).output().map_err(|error| LocalError::process(name, error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(LocalError::process(name, format!("{}: {}", output.status, said.trim_end())))
}

/// The program without our environment, which could override the configuration, and in a process group of its own, so
/// that Ctrl-C reaches only us and we take it down in order.
fn program(name: &str) -> Result<Command, LocalError> {
    let mut command = Command::new(programs::find(name)?);
    command.env_clear().process_group(0).stdin(Stdio::null());
    Ok(command)
}

/// `paths` and words as arguments.
pub fn arguments<'a>(verb: &'a str, option: &'a str, value: &'a Path) -> [&'a OsStr; 3] {
    [verb.as_ref(), option.as_ref(), value.as_os_str()]
}
