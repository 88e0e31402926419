//! A daemon as a child process: started with nothing of our environment, its output in a log file, ended by SIGTERM.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::error::LocalError;
use crate::http::Api;
use crate::programs;
use crate::state::StateDir;
use crate::wait;

/// A daemon drains for at most 25 s; a little more and it hangs.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// How much of a log an error shows.
const TAIL_LINES: usize = 12;

/// A running daemon. Dropping it ends it.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
    url: String,
}

impl Daemon {
    /// Starts `name serve --config CONFIG`, to be reached at `url`.
    pub fn start(
        state: &StateDir,
        name: &str,
        config: &Path,
        url: &str,
        env: &[(&str, &str)],
    ) -> Result<Self, LocalError> {
        let log = state.path().join(format!("{name}.log"));
        let output = File::create(&log).map_err(LocalError::file(&log))?;
        let errors = output.try_clone().map_err(LocalError::file(&log))?;
        let mut command = program(name)?;
        command.args(["serve", "--config"]).arg(config).envs(env.iter().copied());
        let child = command
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| LocalError::process(name, error))?;
        let daemon = Self { name: name.to_owned(), child, log, url: url.to_owned() };
        state.record(daemon.child.id())?;
        Ok(daemon)
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&mut self, api: &Api) -> Result<(), LocalError> {
        let waited = wait::until(async || {
            if let Some(status) =
                self.child.try_wait().map_err(|error| LocalError::process(&self.name, error))?
            {
                return Err(LocalError::process(
                    &self.name,
                    format!("ended at once ({status})\n{}", self.tail()),
                ));
            }
            match api.get("/readyz?verbose").await {
                Ok(answer) if answer.status == 200 => Ok(Ok(())),
                Ok(answer) => Ok(Err(format!("{}: {}", answer.status, answer.text().trim_end()))),
                Err(error) => Ok(Err(error.to_string())),
            }
        });
        match waited.await {
            Err(LocalError::NotSeen(last)) => {
                Err(LocalError::process(&self.name, format!("not ready: {last}\n{}", self.tail())))
            }
            other => other,
        }
    }

    /// Asks it to end and waits until it has; ending with an error, or not in time, is an error.
    pub fn stop(&mut self) -> Result<(), LocalError> {
        let status = self.terminate()?;
        if status.success() {
            return Ok(());
        }
        Err(LocalError::process(&self.name, format!("ended with {status}\n{}", self.tail())))
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
            let problem = format!("still running {} s after SIGTERM\n{}", STOP_WITHIN.as_secs(), self.tail());
            return Err(LocalError::process(&self.name, problem));
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

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.terminate().is_err() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// Runs `name` with `arguments` to its end.
pub fn run_to_end(name: &str, arguments: &[&Path]) -> Result<(), LocalError> {
    let output = program(name)?.args(arguments).output().map_err(|error| LocalError::process(name, error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(LocalError::process(name, format!("{}: {}", output.status, said.trim_end())))
}

/// The program without our environment, which could override the configuration, and in a process group of its own, so
/// that Ctrl-C reaches only us and we take it down in order.
fn program(name: &str) -> Result<Command, LocalError> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(programs::find(name)?);
    command.env_clear().process_group(0).stdin(Stdio::null());
    Ok(command)
}
