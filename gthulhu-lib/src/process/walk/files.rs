//! Small reads relative to an open directory, into a buffer that is used again.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::path::Arg;

/// More than any real file that is read here; a file in a planted tree may be of any size.
const FILE_MAX: usize = 1 << 20;

/// Opens a directory to list it.
pub(super) fn open_dir(at: impl AsFd, path: impl Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(at, path, flags, Mode::empty())?)
}

/// Opens a directory only to open what is in it, which costs the kernel less.
pub(super) fn enter(at: impl AsFd, path: impl Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(at, path, flags, Mode::empty())?)
}

/// Replaces what is in `text` by the file's content.
pub(super) fn read(at: impl AsFd, path: impl Arg, text: &mut Vec<u8>) -> io::Result<()> {
    const CHUNK: usize = 4096;
    // Not to be kept waiting by whatever somebody planted: these are plain files.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = openat(at, path, flags, Mode::empty())?;
    text.clear();
    loop {
        text.reserve(CHUNK);
        let room = text.capacity() - text.len();
        match rustix::io::read(&file, rustix::buffer::spare_capacity(text)) {
            // A file that leaves room has been read to its end, and asking again would cost as much as the first time.
            Ok(read) if read < room => return Ok(()),
            Ok(_) if text.len() > FILE_MAX => return Err(io::ErrorKind::FileTooLarge.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
