//! The directory that holds everything a run writes: configuration, keys, stores, logs, manifests. It goes when the
//! run ends; if the run crashed, the next one ends the daemons it left and removes it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::error::LocalError;
use crate::kernel;

const PREFIX: &str = "gthulhu-local-";
/// One line `PID START` per daemon started.
const CHILDREN: &str = "children";

/// A private directory (0700), named after the process that made it.
#[derive(Debug)]
pub struct StateDir {
    dir: TempDir,
}

impl StateDir {
    /// Makes the directory, after removing what crashed runs left.
    pub fn create() -> Result<Self, LocalError> {
        let place = std::env::temp_dir();
        sweep(&place)?;
        let pid = std::process::id();
        let start = kernel::start_time(pid).unwrap_or_default();
        let dir = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{pid}-{start}-"))
            .tempdir_in(&place)
            .map_err(LocalError::file(&place))?;
        Ok(Self { dir })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a directory below it.
    pub fn subdir(&self, name: &str) -> Result<PathBuf, LocalError> {
        let path = self.path().join(name);
        fs::create_dir_all(&path).map_err(LocalError::file(&path))?;
        Ok(path)
    }

    /// Writes a file below it.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, LocalError> {
        let path = self.path().join(name);
        fs::write(&path, text).map_err(LocalError::file(&path))?;
        Ok(path)
    }

    /// Notes a daemon, so that it can be ended if this process cannot do it any more.
    pub fn record(&self, pid: u32) -> Result<(), LocalError> {
        let path = self.path().join(CHILDREN);
        let mut file =
            OpenOptions::new().append(true).create(true).open(&path).map_err(LocalError::file(&path))?;
        writeln!(file, "{pid} {}", kernel::start_time(pid).unwrap_or_default())
            .map_err(LocalError::file(&path))
    }
}

/// Ends and removes what dead runs of this user left in `place`.
fn sweep(place: &Path) -> Result<(), LocalError> {
    for entry in fs::read_dir(place).map_err(LocalError::file(place))?.flatten() {
        let path = entry.path();
        // A directory that somebody else planted must not make us kill anything.
        let ours =
            fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw());
        if ours && entry.file_name().to_str().is_some_and(is_abandoned) {
            let children = fs::read_to_string(path.join(CHILDREN)).unwrap_or_default();
            for (pid, start) in children.lines().filter_map(identity) {
                end(pid, start);
            }
            fs::remove_dir_all(&path).map_err(LocalError::file(&path))?;
        }
    }
    Ok(())
}

fn is_abandoned(name: &str) -> bool {
    let mut parts = name.strip_prefix(PREFIX).unwrap_or_default().split('-');
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    let (Some(pid), Some(start)) = (number(parts.next()), number(parts.next())) else { return false };
    u32::try_from(pid).is_ok_and(|pid| kernel::start_time(pid) != Some(start))
}

fn identity(line: &str) -> Option<(u32, u64)> {
    let (pid, start) = line.split_once(' ')?;
    Some((pid.parse().ok()?, start.parse().ok()?))
}

fn end(pid: u32, start: u64) {
    if kernel::start_time(pid) == Some(start)
        && let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
    {
        drop(kill_process(pid, Signal::KILL));
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_crashed_runs_directory_and_daemons_go_and_a_live_runs_stay() {
        let place = tempfile::tempdir().unwrap();
        let live =
            format!("{PREFIX}{}-{}-x", std::process::id(), kernel::start_time(std::process::id()).unwrap());
        let dead = format!("{PREFIX}{}-1-x", i32::MAX);
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        for name in [&live, &dead, "gthulhu-local-notes", "else"] {
            fs::create_dir(place.path().join(name)).unwrap();
        }
        // The second has been given to another process since: its start time differs.
        let start = kernel::start_time(child.id()).unwrap();
        let lines = format!("{} {start}\n{} 1\nnonsense\n", child.id(), other.id());
        fs::write(place.path().join(&dead).join(CHILDREN), lines).unwrap();

        sweep(place.path()).unwrap();

        let mut left: Vec<_> = fs::read_dir(place.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected = vec!["else".to_owned(), live, "gthulhu-local-notes".to_owned()];
        expected.sort();
        assert_eq!(left, expected);
        assert!(!child.wait().unwrap().success(), "killed");
        drop(other.stdin.take());
        assert!(other.wait().unwrap().success(), "left alone");
    }

    #[test]
    fn it_is_private_and_goes_when_dropped() {
        let state = StateDir::create().unwrap();
        let path = state.path().to_path_buf();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        state.write("a", "text").unwrap();
        assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "text");
        drop(state);
        assert!(!path.exists());
    }
}
