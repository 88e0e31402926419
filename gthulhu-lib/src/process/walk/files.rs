//! Small reads relative to an open directory, into a buffer that is used again.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::path::Arg;

/// More than any real file that is read here; a file in a planted tree may be of any size.
const FILE_MAX: usize = 1 << 20;

/// Opens a directory to list it.
pub(in crate::process) fn open_dir(at: impl AsFd, path: impl Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(at, path, flags, Mode::empty())?)
}

/// Opens a file to read it.
pub(in crate::process) fn open(at: impl AsFd, path: impl Arg) -> io::Result<OwnedFd> {
    // Not to be kept waiting by whatever somebody planted: these are plain files.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(openat(at, path, flags, Mode::empty())?)
}

/// Replaces what is in `text` by the file's content.
pub(in crate::process) fn read(at: impl AsFd, path: impl Arg, text: &mut Vec<u8>) -> io::Result<()> {
    read_open(&open(at, path)?, text)
}

/// As [`read`], for a file that is open and of which nothing has been read.
pub(in crate::process) fn read_open(file: &OwnedFd, text: &mut Vec<u8>) -> io::Result<()> {
    const CHUNK: usize = 4096;
    text.clear();
    loop {
        text.reserve(CHUNK);
        let room = text.capacity() - text.len();
        match rustix::io::read(file, rustix::buffer::spare_capacity(text)) {
            // A file that leaves room has been read to its end, and asking again would cost as much as the first time.
            Ok(read) if read < room => return Ok(()),
            Ok(_) if text.len() > FILE_MAX => return Err(io::ErrorKind::FileTooLarge.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
