//! One cgroup of a governed pod, and who is in it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::CWD;
use rustix::io::Errno;

use crate::process::walk::files;

/// A cgroup below the directory of a pod, or that directory.
#[derive(Debug)]
pub(in crate::process) struct Group {
    /// Where it is in the file system.
    pub(super) path: PathBuf,
    pub(in crate::process) pod: Arc<str>,
    pub(in crate::process) container: Option<Arc<str>>,
    /// Its path names another pod too, so nobody in it is believed to be in either.
    pub(in crate::process) refused: bool,
    procs: List,
    threads: List,
}

impl Group {
    pub(super) fn new(path: PathBuf, pod: Arc<str>, container: Option<Arc<str>>, refused: bool) -> Self {
        Self { path, pod, container, refused, procs: List::default(), threads: List::default() }
    }

    /// Reads which processes are in it, and says whether they were told otherwise before. The file stays open if `keep`
    /// says so.
    pub(in crate::process) fn read(&mut self, keep: bool) -> io::Result<bool> {
        self.procs.read(&self.path, "cgroup.procs", keep)
    }

    /// As [`read`](Self::read), for threads.
    pub(in crate::process) fn read_threads(&mut self, keep: bool) -> io::Result<bool> {
        self.threads.read(&self.path, "cgroup.threads", keep)
    }

    /// Keeps no file open, until one is read to be kept.
    pub(super) fn close(&mut self) {
        (self.procs.file, self.threads.file) = (None, None);
    }

    /// The processes that were read last.
    pub(in crate::process) fn pids(&self) -> impl Iterator<Item = u32> {
        self.procs.numbers()
    }

    /// The threads that were read last, leaders included.
    pub(in crate::process) fn tids(&self) -> impl Iterator<Item = u32> {
        self.threads.numbers()
    }
}

/// A file of the cgroup's directory that lists tasks.
#[derive(Debug, Default)]
struct List {
    /// If it is kept open.
    file: Option<OwnedFd>,
    /// What was read last.
    text: Vec<u8>,
}

impl List {
    /// Says whether the text is another one than before. A cgroup that is gone has nobody in it; nor has one whose
    /// processes the kernel lists in a cgroup above it.
    fn read(&mut self, dir: &Path, name: &str, keep: bool) -> io::Result<bool> {
        let mut text = Vec::with_capacity(self.text.capacity());
        let read = match &self.file {
            // An open file is of the cgroup that had the name when it was opened.
            Some(file) => read_all(file, &mut text).or_else(|error| match Errno::from_io_error(&error) {
                Some(Errno::NODEV) => self.open_and_read(&dir.join(name), keep, &mut text),
                _ => Err(error),
            }),
            None => self.open_and_read(&dir.join(name), keep, &mut text),
        };
        match read {
            Ok(()) => {}
            Err(error) if is_empty(&error) => text.clear(),
            Err(error) => return Err(error),
        }
        let changed = text != self.text;
        self.text = text;
        Ok(changed)
    }

    fn open_and_read(&mut self, path: &Path, keep: bool, text: &mut Vec<u8>) -> io::Result<()> {
        self.file = None;
        let file = files::open(CWD, path)?;
        read_all(&file, text)?;
        self.file = Some(file).filter(|_| keep);
        Ok(())
    }

    /// Tasks that this process cannot see are told as 0.
    fn numbers(&self) -> impl Iterator<Item = u32> {
        let lines = self.text.split(|&byte| byte == b'\n');
        lines.filter_map(|line| std::str::from_utf8(line).ok()?.parse().ok()).filter(|&number| number > 0)
    }
}

/// Reads a list from its beginning.
fn read_all(file: &OwnedFd, text: &mut Vec<u8>) -> io::Result<()> {
    const CHUNK: usize = 4096;
    text.clear();
    loop {
        text.reserve(CHUNK);
        let at = text.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(text), at) {
            // The kernel gives a page at a time, up to a line that does not fit. What is far from a page is the end.
            Ok(read) if read < CHUNK / 2 => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether nobody is in such a cgroup: it is gone, or it is threaded, and then a cgroup above it tells.
fn is_empty(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| [Errno::NOENT, Errno::NODEV, Errno::OPNOTSUPP].contains(&errno))
}
