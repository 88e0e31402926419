//! Processes in a pod that sleep, wake and compute: the program gthulhu-probe.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gthulhu_probe::samples::Summary;

use crate::error::LocalError;
use crate::programs;

const PROGRAM: &str = "gthulhu-probe";

/// A load that lasts until it is dropped. Should this process end before, the load ends too: it lives by its input.
#[derive(Debug)]
pub(super) struct Load {
    child: Child,
}

impl Load {
    /// This many threads that compute all the time, in `container`.
    pub(super) fn hog(container: &Path, threads: usize) -> Result<Self, LocalError> {
        Self::start(container, &["hog", "--threads", &threads.to_string()])
    }

    /// A thread that wakes up every millisecond, in `container`.
    pub(super) fn pulse(container: &Path) -> Result<Self, LocalError> {
        Self::start(container, &["pulse"])
    }

    fn start(container: &Path, verb: &[&str]) -> Result<Self, LocalError> {
        let mut command = command(container, verb)?;
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        Ok(Self { child: child.map_err(|error| LocalError::process(PROGRAM, error))? })
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Measures for this many seconds in `container` how late a sleeping thread runs.
pub(super) async fn wake(container: &Path, seconds: u32) -> Result<Summary, LocalError> {
    let mut command = command(container, &["wake", "--json", "--seconds", &seconds.to_string()])?;
    let failed = |problem: String| LocalError::process(PROGRAM, problem);
    let ended = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output()).await;
    let output =
        ended.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        )));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(format!("its figures: {error}")))
}

fn command(container: &Path, verb: &[&str]) -> Result<Command, LocalError> {
    let mut command = Command::new(programs::find(PROGRAM)?);
    command.args([OsStr::new("--cgroup"), container.as_os_str()]).args(verb);
    Ok(command)
}
