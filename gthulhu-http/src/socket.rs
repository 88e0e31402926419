//! A unix socket that other programs of the machine may connect to: its file is made so that nobody meets it half made,
//! replaced when its maker is dead, removed at the end. And how a file of ours is handed to one who has.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use thiserror::Error;

/// Its owner and its group may connect; who else connects is told apart by his uid.
const MODE: u32 = 0o660;

/// The group that may connect.
const GROUP: &str = "gthulhu";

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Somebody listens there already.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// Something is there that nobody made to listen at.
    #[error("{0} is there and is no socket")]
    Other(PathBuf),
    /// The system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A listening socket and its file, which is removed with this value.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file, which tell it from another one at the same path.
    file: (u64, u64),
    /// Held while the socket is, so that a file without a living maker is known to be one.
    _lock: File,
}

impl Socket {
    /// Listens at `path`, for this process's own user and for the members of the group `gthulhu`. A directory that is
    /// missing is made.
    pub fn open(path: &Path) -> Result<Socket, SocketError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| SocketError::Io { action, path, source }
        };
        if let Some(dir) = path.parent().filter(|dir| !dir.exists()) {
            DirBuilder::new().create(dir).map_err(io("make", dir))?;
            // Whatever the mask of this process is: others have to get there.
            fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(io("set the mode of", dir))?;
        }
        let lock = lock(path)?;
        match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.file_type().is_socket() => {
                return Err(SocketError::Other(path.to_owned()));
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io("look at", path)(error)),
            // Ours to replace: whoever made it does not hold the lock any more.
            _ => {}
        }
        // Under another name until it is what it should be.
        let making = beside(path, ".new");
        match fs::remove_file(&making) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io("remove", &making)(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&making).map_err(io("listen at", &making))?;
        fs::set_permissions(&making, Permissions::from_mode(MODE)).map_err(io("set the mode of", &making))?;
        give_to_group(&making, fs::read_to_string("/etc/group").ok().as_deref());
        let file = identity(&making).map_err(io("look at", &making))?;
        fs::rename(&making, path).map_err(io("move a socket to", path))?;
        Ok(Socket { listener, path: path.to_owned(), file, _lock: lock })
    }

    /// Where connections come in.
    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Whether whoever opens the path meets this socket.
    pub fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|file| file == self.file)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_in_place() {
            // What stays behind is replaced by the next one who listens there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn lock(path: &Path) -> Result<File, SocketError> {
    let lock = beside(path, ".lock");
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let failed = |action| {
        let path = lock.clone();
        move |error: rustix::io::Errno| SocketError::Io { action, path, source: error.into() }
    };
    let file = rustix::fs::open(&lock, flags, Mode::RUSR | Mode::WUSR).map_err(failed("open"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file.into()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(SocketError::InUse(path.to_owned())),
        Err(error) => Err(failed("lock")(error)),
    }
}

/// Lets the group connect, if there is one; who may not give files away says so and goes on.
fn give_to_group(path: &Path, groups: Option<&str>) {
    let Some(gid) = groups.and_then(gid) else { return };
    // It has it already where the process belongs to that group, and then the right to give files away is not asked for.
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.gid() == gid) {
        return;
    }
    if let Err(error) = chown(path, None, Some(gid)) {
        tracing::warn!(group = GROUP, socket = %path.display(), %error, "the socket cannot be given to the group");
    }
}

/// Sends `bytes` to a peer, and with the first of them a file of ours. As many as went, as of a write.
pub fn send_with(stream: impl AsFd, bytes: &[u8], file: BorrowedFd<'_>) -> io::Result<usize> {
    let files = [file];
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = SendAncillaryBuffer::new(&mut room);
    if !with.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("no room for a file"));
    }
    Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut with, SendFlags::NOSIGNAL)?)
}

/// The group's number, from the text of `/etc/group`.
fn gid(groups: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(GROUP)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn it_is_there_as_it_should_be_and_gone_at_the_end() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("run/feed.sock");
        let socket = Socket::open(&path).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, MODE);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o7777, 0o755);
        UnixStream::connect(&path).unwrap();
        assert!(socket.is_in_place());
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn one_that_is_in_use_is_left_alone_and_one_of_the_dead_is_replaced() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("feed.sock");
        // What `kill -9` leaves behind: files, and nobody who holds them.
        drop(UnixListener::bind(&path).unwrap());
        drop(UnixListener::bind(beside(&path, ".new")).unwrap());
        fs::write(beside(&path, ".lock"), "").unwrap();
        let socket = Socket::open(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        assert!(matches!(Socket::open(&path), Err(SocketError::InUse(_))));
        assert!(socket.is_in_place(), "the other one changed nothing");
    }

    #[test]
    fn what_is_no_socket_is_not_touched() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("feed.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Socket::open(&path), Err(SocketError::Other(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        assert!(matches!(Socket::open(&path.join("feed.sock")), Err(SocketError::Io { .. })));
    }

    #[test]
    fn a_file_that_somebody_else_put_there_is_not_removed() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("feed.sock");
        let socket = Socket::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert!(!socket.is_in_place());
        drop(socket);
        assert!(path.exists());
    }

    #[test]
    fn the_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\ngthulhu-dev:x:7:\ngthulhu:x:1234:alice,bob\n";
        assert_eq!(gid(groups), Some(1234));
        assert_eq!(gid("root:x:0:\nx:gthulhu:1:"), None);
        assert_eq!(gid("gthulhu\ngthulhu:x:many:"), None);
    }
}
