//! The directory that holds everything a run writes: configuration, keys, stores, logs, manifests. It goes when the
//! run ends; if the run crashed, the next one ends the daemons it left and removes it.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal};

use crate::error::LocalError;
use crate::kernel;

const PREFIX: &str = "gthulhu-local-";
/// One line `PID START`: the process that made the directory.
const OWNER: &str = "owner";
/// One line `PID START` per daemon started.
const CHILDREN: &str = "children";

/// How long a killed process may take to end, in seconds.
const KILLED_WITHIN_S: i64 = 5;

/// A process: its id and, because ids are given again, when it started.
type Identity = (u32, u64);

/// A private directory (0700) that goes when it is dropped.
#[derive(Debug)]
pub struct StateDir {
    dir: PathBuf,
}

impl StateDir {
    /// Makes a directory of its own for this run, after removing what crashed runs left.
    pub fn temporary() -> Result<Self, LocalError> {
        let place = std::env::temp_dir();
        sweep(&place)?;
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&place)
            .map_err(LocalError::file(&place))?;
        Self::own(made.keep())
    }

    /// Makes `dir`, which must not be in use by another run; what a crashed run left there is removed.
    pub fn at(dir: &Path) -> Result<Self, LocalError> {
        let failed = |problem: String| LocalError::process(&dir.display().to_string(), problem);
        match owner(dir) {
            Some((pid, _)) if is_ours(dir) && !is_abandoned(dir) => {
                return Err(failed(format!("in use by process {pid}")));
            }
            Some(_) if is_ours(dir) => clear(dir)?,
            _ => {}
        }
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(failed("is there already and was not made by a run of yours: remove it".to_owned()))
            }
            made => {
                made.map_err(LocalError::file(dir))?;
                Self::own(fs::canonicalize(dir).map_err(LocalError::file(dir))?)
            }
        }
    }

    fn own(dir: PathBuf) -> Result<Self, LocalError> {
        let state = Self { dir };
        state.append(OWNER, std::process::id())?;
        Ok(state)
    }

    /// The directory, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.dir
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
        self.append(CHILDREN, pid)
    }

    fn append(&self, file: &str, pid: u32) -> Result<(), LocalError> {
        let path = self.dir.join(file);
        let mut file =
            OpenOptions::new().append(true).create(true).open(&path).map_err(LocalError::file(&path))?;
        writeln!(file, "{pid} {}", kernel::start_time(pid).unwrap_or_default())
            .map_err(LocalError::file(&path))
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// Ends and removes what dead runs of this user left in `place`.
fn sweep(place: &Path) -> Result<(), LocalError> {
    for entry in fs::read_dir(place).map_err(LocalError::file(place))?.flatten() {
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let dir = entry.path();
        if named && is_ours(&dir) && is_abandoned(&dir) {
            clear(&dir)?;
        }
    }
    Ok(())
}

/// A directory that somebody else planted must not make us kill anything.
fn is_ours(dir: &Path) -> bool {
    fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw())
}

/// Whether the process that made `dir` is gone. One without an owner is just being made.
fn is_abandoned(dir: &Path) -> bool {
    owner(dir).is_some_and(|(pid, start)| kernel::start_time(pid) != Some(start))
}

fn owner(dir: &Path) -> Option<Identity> {
    identities(&dir.join(OWNER)).first().copied()
}

fn identities(file: &Path) -> Vec<Identity> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let identity = |line: &str| {
        let (pid, start) = line.split_once(' ')?;
        Some((pid.parse().ok()?, start.parse().ok()?))
    };
    text.lines().filter_map(identity).collect()
}

fn clear(dir: &Path) -> Result<(), LocalError> {
    for (pid, start) in identities(&dir.join(CHILDREN)) {
        end(pid, start);
    }
    match fs::remove_dir_all(dir) {
        // Another run that starts now clears up too.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(LocalError::file(dir)),
    }
}

/// Kills the process if it is still the one that was noted, and waits until it has let go of its ports and files.
fn end(pid: u32, start: u64) {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(ended) = pidfd_open(raw, PidfdFlags::empty()) else { return };
    // The descriptor is of whoever has the pid now; if that started when it should, it is the one.
    if kernel::start_time(pid) == Some(start) && pidfd_send_signal(&ended, Signal::KILL).is_ok() {
        let wait = Timespec { tv_sec: KILLED_WITHIN_S, tv_nsec: 0 };
        let _ = poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&wait));
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn identity(pid: u32) -> String {
        format!("{pid} {}\n", kernel::start_time(pid).unwrap())
    }

    #[test]
    fn a_crashed_runs_directory_and_daemons_go_and_others_stay() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str, owner: &str| {
            fs::create_dir(place.path().join(name)).unwrap();
            fs::write(place.path().join(name).join(OWNER), owner).unwrap();
        };
        make("gthulhu-local-live", &identity(std::process::id()));
        make("gthulhu-local-dead", &format!("{} 1\n", i32::MAX));
        make("gthulhu-local-young", "");
        make("else", &format!("{} 1\n", i32::MAX));
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        // The second pid has been given to another process since: its start time differs.
        let children = format!("{}{} 1\nnonsense\n", identity(child.id()), other.id());
        fs::write(place.path().join("gthulhu-local-dead").join(CHILDREN), children).unwrap();

        sweep(place.path()).unwrap();

        let left = ["else", "gthulhu-local-dead", "gthulhu-local-live", "gthulhu-local-young"]
            .map(|name| place.path().join(name).exists());
        assert_eq!(left, [true, false, true, true]);
        assert!(!child.wait().unwrap().success(), "killed");
        drop(other.stdin.take());
        assert!(other.wait().unwrap().success(), "left alone");
    }

    #[test]
    fn it_is_private_and_goes_when_dropped() {
        let state = StateDir::temporary().unwrap();
        let path = state.path().to_path_buf();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        state.write("a", "text").unwrap();
        assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "text");
        drop(state);
        assert!(!path.exists());
    }

    #[test]
    fn a_chosen_place_is_taken_over_only_from_a_crashed_run() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("run");
        let first = StateDir::at(&dir).unwrap();
        let error = StateDir::at(&dir).unwrap_err().to_string();
        assert!(error.ends_with(&format!("in use by process {}", std::process::id())), "{error}");

        fs::write(dir.join(OWNER), format!("{} 1\n", i32::MAX)).unwrap();
        fs::write(dir.join("old"), "").unwrap();
        let second = StateDir::at(&dir).unwrap();
        assert!(!dir.join("old").exists());
        drop((first, second));

        fs::create_dir(&dir).unwrap();
        let error = StateDir::at(&dir).unwrap_err().to_string();
        assert!(error.ends_with("was not made by a run of yours: remove it"), "{error}");
        assert!(dir.exists());
    }
}
