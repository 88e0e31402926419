//! Files that hold state and secrets: replaced as a whole, on disk before the call returns, closed to others.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::random;

/// Mode of a file that only its owner may read.
pub const PRIVATE_FILE: u32 = 0o600;
/// Mode of a directory that only its owner may enter.
pub const PRIVATE_DIR: u32 = 0o700;
/// The largest secret that [`read_private`] reads, in bytes.
pub const PRIVATE_MAX: u64 = 1 << 20;

/// Permission bits of the group and of everybody else.
const OTHERS: u32 = 0o077;
/// The same without reading by the group.
const OTHERS_BUT_READERS: u32 = 0o037;

/// Why a file or directory could not be used. Every message names the path.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused; `action` is a verb such as `write`.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody besides the owner may read it.
    #[error("{} is open to others (mode {mode:04o}); its mode must be {wanted:04o}", path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The permission bits it should have.
        wanted: u32,
    },
    /// It is something else, e.g. a directory where a file is needed.
    #[error("{} is not a {expected}", path.display())]
    Kind {
        /// The path.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// It is larger than [`PRIVATE_MAX`].
    #[error("{} is larger than {PRIVATE_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

impl FileError {
    /// The kind of the system's error, if it was one: lets a caller tell a missing file from a broken one.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            FileError::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
        move |source| FileError::Io { action, path: path.to_owned(), source }
    }
}

/// Puts `bytes` at `path` with exactly this mode, replacing what was there.
///
/// A crash at any moment leaves the old content or the new one, never a mixture, and when the call returns the
/// new one survives a power cut: the content goes to a new file beside `path`, is synced, renamed, and the
/// directory is synced. The new file is never readable by more people than `mode` says, not even for a moment.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(FileError::Kind { path: path.to_owned(), expected: "path of a file" });
    };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{:016x}", u64::from_ne_bytes(random::bytes())));
    let temporary = dir.join(temporary);

    let written = write_new(&temporary, bytes, mode)
        .and_then(|()| fs::rename(&temporary, path).map_err(FileError::io("replace", path)));
    if written.is_err() {
        // Best effort: the failure that matters is already on its way to the caller.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_dir(dir)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode & PRIVATE_FILE)
        .open(path)
        .map_err(FileError::io("create", path))?;
    file.write_all(bytes).map_err(FileError::io("write", path))?;
    // The umask had its say at creation; the mode asked for is set last.
    file.set_permissions(fs::Permissions::from_mode(mode)).map_err(FileError::io("set the mode of", path))?;
    file.sync_all().map_err(FileError::io("sync", path))
}

/// Makes names created, replaced or removed in this directory survive a power cut.
pub fn sync_dir(dir: &Path) -> Result<(), FileError> {
    File::open(dir).and_then(|handle| handle.sync_all()).map_err(FileError::io("sync", dir))
}

/// Makes sure that `path` is a directory which only we may enter, creating it and its parents if needed.
///
/// An existing directory that is open to others is closed if it is ours and empty (a fresh mount, a directory
/// made by an operator); one that is in use already is refused, because closing it could lock others out.
pub fn private_dir(path: &Path) -> Result<(), FileError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(FileError::io("create", parent))?;
    }
    match DirBuilder::new().mode(PRIVATE_DIR).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(FileError::io("create", path)(error)),
    }
    let meta = fs::metadata(path).map_err(FileError::io("inspect", path))?;
    if !meta.is_dir() {
        return Err(FileError::Kind { path: path.to_owned(), expected: "directory" });
    }
    if meta.mode() & OTHERS == 0 {
        return Ok(());
    }
    let empty = fs::read_dir(path).map_err(FileError::io("list", path))?.next().is_none();
    if !empty || meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(FileError::Open {
            path: path.to_owned(),
            mode: meta.mode() & 0o7777,
            wanted: PRIVATE_DIR,
        });
    }
    fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE_DIR))
        .map_err(FileError::io("set the mode of", path))
}

/// Reads a secret text of at most [`PRIVATE_MAX`] bytes; refuses one that its group or everybody may read.
///
/// One exception: a file of root's that its group may read, when we are not root. Volumes of Kubernetes and credentials of
/// systemd are like that; it is how root lets one program read a file that this program must not change.
pub fn read_private(path: &Path) -> Result<String, FileError> {
    let (file, mode) = open_regular(path)?;
    let owner = file.metadata().map_err(FileError::io("inspect", path))?.uid();
    if !is_private(mode, owner, rustix::process::geteuid().as_raw()) {
        return Err(FileError::Open { path: path.to_owned(), mode, wanted: PRIVATE_FILE });
    }
    text_of(file, path)
}

/// Whether a file of `owner` with these permission bits is a secret of `reader`.
fn is_private(mode: u32, owner: u32, reader: u32) -> bool {
    let lent = owner == 0 && reader != 0;
    mode & if lent { OTHERS_BUT_READERS } else { OTHERS } == 0
}

/// Reads a text of at most [`PRIVATE_MAX`] bytes; also gives the permission bits of its file.
pub fn read_text(path: &Path) -> Result<(String, u32), FileError> {
    let (file, mode) = open_regular(path)?;
    Ok((text_of(file, path)?, mode))
}

fn open_regular(path: &Path) -> Result<(File, u32), FileError> {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file =
        OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(FileError::io("open", path))?;
    // The open file is judged, not the name: nobody can swap it in between.
    let meta = file.metadata().map_err(FileError::io("inspect", path))?;
    if !meta.is_file() {
        return Err(FileError::Kind { path: path.to_owned(), expected: "regular file" });
    }
    Ok((file, meta.mode() & 0o7777))
}

fn text_of(file: File, path: &Path) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    file.take(PRIVATE_MAX + 1).read_to_end(&mut bytes).map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > PRIVATE_MAX {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|_| FileError::Kind { path: path.to_owned(), expected: "UTF-8 text" })
}

#[cfg(test)]
mod tests;
