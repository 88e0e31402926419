//! The source that looks at governed pods only: it reads the `cgroup.procs` of their cgroups, and of the processes
//! listed there what else is needed.
//!
//! Only cgroups of version 2 count. So on a host with hierarchies of version 1 this source is for those whose pods are in
//! none of them, which is looked at once, when it is made. Directories that come and go are told by inotify; who is in them is read anew each
//! time, from files that are kept open.
//!
//! All facts about one process have to be of one process (see [`walk`](super::walk)). A process of which nothing is known
//! yet is in a pod if its `stat` was opened, then its pid was listed in the pod's cgroup, and then `stat` could be read:
//! an open file speaks of one process only, and that had the number all the while. One that is known by its start time
//! needs no second reading of the list. Two processes with one number and one start time, which is one clock tick, look
//! like one here until their pod changes.
//!
//! A process that moves between two cgroups while they are read may be listed in neither; so one that was there before
//! is looked up before it is given up.

mod group;
mod mount;
mod reader;
mod tree;
mod watch;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use rustix::fs::CWD;
use rustix::io::Errno;

use super::cgroup::{OwnDepth, Roots};
use super::walk::{ProcWalk, WalkOptions, files};
use super::{Changes, Governed, Located, ProcessSource, Snapshot, SourceError};
use reader::Found;
use tree::Tree;

pub(super) use reader::Reader;
pub(super) use tree::is_ours;

/// Why a source cannot be used here. Another can.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// This process does not see the host's tree.
    #[error("no mount shows the host's whole cgroup tree of version 2")]
    NoTree,
    /// Pods have, or may have, their processes in trees that are not read.
    #[error("there are cgroups of version 1, and {0}")]
    Hybrid(&'static str),
    /// The pids in cgroups would be others.
    #[error("{} is of another PID namespace than this process", .0.display())]
    OtherPids(PathBuf),
    /// A file that tells where things are cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel's process connector cannot be had.
    #[error("the kernel's process connector: {0}")]
    Connector(#[source] io::Error),
    /// The process connector says nothing.
    #[error(
        "the kernel's process connector does not answer: it does so in the first PID, user and network namespace only"
    )]
    Silent,
    /// The configured cgroup root cannot be one.
    #[error(transparent)]
    CgroupRoot(#[from] SourceError),
}

impl From<Errno> for Unavailable {
    fn from(error: Errno) -> Self {
        Self::Connector(error.into())
    }
}

/// Reads the cgroups of governed pods.
#[derive(Debug)]
pub struct CgroupProcs {
    pub(super) tree: Tree,
    pub(super) reader: Reader,
}

impl CgroupProcs {
    /// Learns where things are, or says why this source cannot work here.
    ///
    /// # Errors
    ///
    /// If this process does not see the host's whole tree or has other pids, if pods may have processes in trees of version 1,
    /// if a file that tells where things are cannot be read, or if the configured cgroup root cannot be one.
    pub fn new(options: WalkOptions) -> Result<Self, Unavailable> {
        let WalkOptions { proc_root, cgroup_root } = &options;
        let read = |name: &str| {
            let path = proc_root.join(name);
            std::fs::read(&path).map_err(|source| Unavailable::Unreadable { path, source })
        };
        if !is_same_namespace(&read("self/status")?) {
            return Err(Unavailable::OtherPids(proc_root.clone()));
        }
        let first = ["1", "2"].map(|pid| read(&format!("{pid}/cgroup")).unwrap_or_default());
        let own = OwnDepth::learn(first.iter().map(Vec::as_slice));
        let mount = mount::find(&read("self/mountinfo")?, own.of(b"")).ok_or(Unavailable::NoTree)?;
        let cgroup_root = cgroup_root.clone();
        let version_1 = !mount.version_1.is_empty() || has_version_1(&read("self/cgroup")?);
        let path = proc_root.clone();
        let mut source = Self::in_tree(options, mount.path, cgroup_root.as_deref())?;
        if !version_1 {
            return Ok(source);
        }
        match source.why_version_1_counts(&mount.version_1) {
            Ok(None) => Ok(source),
            Ok(Some(why)) => Err(Unavailable::Hybrid(why)),
            Err(source) => Err(Unavailable::Unreadable { path, source }),
        }
    }

    /// What shows that pods are, or may come to be, in the trees of version 1: those that are mounted there, or others.
    fn why_version_1_counts(&mut self, mounted: &[PathBuf]) -> io::Result<Option<&'static str>> {
        let why = if !self.tree.has_root(self.tree.path()) {
            Some("no directory of pods is in the tree of version 2")
        } else if mounted.iter().any(|mount| self.tree.has_root(mount)) {
            // Then the one in version 2 may be a leftover.
            Some("a directory of pods is in one of them")
        } else if self.reader.finds_more_in_version_1()? {
            Some("a process is in a pod by them alone")
        } else {
            None
        };
        Ok(why)
    }

    /// With the tree that is mounted there.
    fn in_tree(options: WalkOptions, mount: PathBuf, cgroup_root: Option<&str>) -> Result<Self, Unavailable> {
        let path = options.proc_root.clone();
        let proc = files::open_dir(CWD, &path).map_err(|source| Unavailable::Unreadable { path, source })?;
        // Paths are told from the root of the tree, whatever namespace this process is in.
        let roots = Roots::new(cgroup_root, OwnDepth::default())?;
        let reader = Reader::new(proc, ProcWalk::unified(options)?);
        Ok(Self { tree: Tree::new(mount, roots), reader })
    }

    /// Everything as it is now.
    fn read_all(&mut self) -> io::Result<Snapshot> {
        self.tree.update()?;
        let mut found = Found::default();
        let Self { tree, reader, .. } = self;
        for (group, keep) in tree.groups() {
            reader.read_group(group, keep, &mut found)?;
        }
        found.snapshot.left_out.unreadable += tree.unreadable();
        Ok(reader.finish(found))
    }

    pub(super) fn unreadable(&self, source: io::Error) -> SourceError {
        SourceError::Unreadable { path: self.tree.path().to_owned(), source }
    }
}

impl ProcessSource for CgroupProcs {
    fn name(&self) -> &'static str {
        "cgroup-procs"
    }

    fn snapshot(&mut self, governed: &Governed) -> Result<Snapshot, SourceError> {
        self.tree.govern(governed);
        self.reader.governed = governed.clone();
        self.read_all().map_err(|error| self.unreadable(error))
    }

    /// Never knows, since everything is read anew.
    fn changes(&mut self) -> Result<Changes, SourceError> {
        Ok(Changes::Unknown)
    }

    /// Woken by directories only.
    fn events(&mut self) -> Result<Changes, SourceError> {
        let changed = self.tree.update().map_err(|error| self.unreadable(error))?;
        Ok(if changed { Changes::Unknown } else { Changes::List(Vec::new()) })
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        self.reader.walk.survey()
    }

    fn locate(&mut self, tid: u32) -> Result<Located, SourceError> {
        self.reader.walk.locate(tid)
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.tree.wake_fd()
    }
}

/// Whether the proc file system that this `self/status` is of shows this process's own PID namespace: it tells the pid
/// in each namespace from its own down to the process's.
fn is_same_namespace(status: &[u8]) -> bool {
    let pids = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"));
    pids.is_some_and(|pids| pids.split(u8::is_ascii_whitespace).filter(|pid| !pid.is_empty()).count() == 1)
}

/// Whether the text of a `/proc/PID/cgroup` tells of hierarchies of version 1.
fn has_version_1(cgroup: &[u8]) -> bool {
    cgroup.split(|&byte| byte == b'\n').any(|line| !line.is_empty() && !line.starts_with(b"0::"))
}

#[cfg(test)]
mod tests;
