//! What a node must still know after a restart: its intents, their numbers, and the processes that were muted.
//!
//! One small file, `dm-state` in the state directory, replaced as a whole before a change is acknowledged: after
//! `kill -9` or a power cut the node holds what it last said that it holds, and governs its processes before any
//! manager speaks to it. The file is a cache of what the manager wants, so a damaged one must not stop the node: it
//! is moved aside and the node starts empty, without numbers, which the manager's next comparison repairs. A
//! directory that cannot be used is different: nothing could be promised, so it stops the start.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use gthulhu_http::files::{self, FileError};
use gthulhu_lib::intent::set::IntentSet;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fence::Fence;

pub mod format;
mod payload;

/// The file's name.
pub const FILE: &str = "dm-state";

/// Where a file that cannot be trusted is moved to.
pub const CORRUPT: &str = "dm-state.corrupt";

const LOCK: &str = "dm-state.lock";

/// The largest file that is read: ten times what the largest push makes.
const LARGEST: u64 = 64 << 20;

/// A process whose rows are withheld until the next push.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Muted {
    /// The pod it was muted in.
    pub pod: String,
    /// Its process id.
    pub pid: u32,
    /// Its start time in clock ticks since boot: another process with this id is not muted.
    pub start: u64,
}

/// All that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// The numbers, and whether the set was edited since it was pushed.
    pub fence: Fence,
    /// The intents held now.
    pub intents: IntentSet,
    /// The processes muted since the last push, sorted.
    pub muted: Vec<Muted>,
}

/// What was found at start.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// No file: a first start.
    Nothing,
    /// A whole file.
    Kept,
    /// A damaged file, now under [`CORRUPT`], and what was wrong with it.
    MovedAside(String),
}

/// Why the state directory cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// The directory or a file in it cannot be made, read or replaced.
    #[error(transparent)]
    File(#[from] FileError),
    /// Reading or moving one file failed.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Everybody may replace the files in the directory.
    #[error("{} may be written by everybody (mode {mode:04o}); its mode should be 0700", path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another decision maker holds the directory.
    #[error("{0} is in use by another decision maker")]
    InUse(PathBuf),
}

impl StateError {
    /// What kind of failure the system reported, if it was one.
    pub fn io_kind(&self) -> Option<ErrorKind> {
        match self {
            StateError::File(error) => error.io_kind(),
            StateError::Io { source, .. } => Some(source.kind()),
            StateError::Writable { .. } | StateError::InUse(_) => None,
        }
    }
}

/// The state file of one directory, locked against a second decision maker while this value lives.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    _lock: File,
}

impl StateFile {
    /// Opens the directory, making it when it is missing, and reads what was kept.
    ///
    /// The state is written back at once: a directory that cannot be written is found now, not at the first push.
    pub fn open(dir: &Path) -> Result<(StateFile, State, Found), StateError> {
        usable_dir(dir)?;
        let lock = lock(dir)?;
        remove_leftovers(dir)?;
        let path = dir.join(FILE);
        let (state, found) = match read(&path)? {
            Content::Missing => (State::default(), Found::Nothing),
            Content::Whole(state) => (state, Found::Kept),
            Content::Damaged(reason) => {
                let aside = dir.join(CORRUPT);
                fs::rename(&path, &aside).map_err(|source| StateError::Io {
                    action: "move aside",
                    path: path.clone(),
                    source,
                })?;
                (State::default(), Found::MovedAside(reason))
            }
        };
        let file = StateFile { path, _lock: lock };
        file.save(&state)?;
        Ok((file, state, found))
    }

    /// Replaces the file: when this returns, the state is on disk.
    pub fn save(&self, state: &State) -> Result<(), FileError> {
        files::write_atomic(&self.path, &format::seal(&payload::encode(state)), files::PRIVATE_FILE)
    }
}

/// Makes the directory, or takes an existing one that strangers cannot write. The files in it are private anyway.
fn usable_dir(dir: &Path) -> Result<(), StateError> {
    match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => match metadata.permissions().mode() & 0o7777 {
            mode if mode & 0o002 != 0 => Err(StateError::Writable { path: dir.to_owned(), mode }),
            _ => Ok(()),
        },
        _ => Ok(files::private_dir(dir)?),
    }
}

fn lock(dir: &Path) -> Result<File, StateError> {
    let path = dir.join(LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| StateError::Io { action: "open", path: path.clone(), source })?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::InUse(dir.to_owned())),
        Err(error) => Err(StateError::Io { action: "lock", path, source: error.into() }),
    }
}

/// Removes the temporary files of writes that a crash cut short.
fn remove_leftovers(dir: &Path) -> Result<(), StateError> {
    let failed = |action| move |source| StateError::Io { action, path: dir.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(failed("list"))? {
        let entry = entry.map_err(failed("list"))?;
        if entry.file_name().to_string_lossy().starts_with(".dm-state.") {
            fs::remove_file(entry.path()).map_err(failed("clean"))?;
        }
    }
    Ok(())
}

enum Content {
    Missing,
    Whole(State),
    Damaged(String),
}

fn read(path: &Path) -> Result<Content, StateError> {
    let failed = |source| StateError::Io { action: "read", path: path.to_owned(), source };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Content::Missing),
        Err(error) => return Err(failed(error)),
    };
    if !metadata.is_file() {
        return Ok(Content::Damaged("it is not a regular file".to_owned()));
    }
    if metadata.len() > LARGEST {
        return Ok(Content::Damaged(format!("it is larger than {LARGEST} bytes")));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(match format::unseal(&bytes).map_err(|damage| damage.to_string()).and_then(payload::decode) {
        Ok(state) => Content::Whole(state),
        Err(reason) => Content::Damaged(reason),
    })
}

#[cfg(test)]
mod tests;
