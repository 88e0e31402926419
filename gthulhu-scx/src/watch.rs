//! The source of processes that the kernel's own programs tell of everything: who is there, in one listing, and from then
//! on who begins, starts a program, gets a name, moves or ends. No file of `/proc` is read.
//!
//! - All is known as soon as its event is read: moves between pods, which no other source is told of, too.
//! - Events are in the order in which things happened, and each names its process by number and start: the end of one
//!   comes before the number is anybody else's.
//! - Which pod a process is in says the id of its leader's cgroup, by a map of the tree that events keep up to date
//!   (`tree`). Only cgroups of version 2 count.
//! - A snapshot is of what is known; all tasks are listed only for the first one, and after events were lost, of which the
//!   caller is told; then the tree is read again too.
//!
//! One thing is not told: that a process whose parent ended has another parent. Its first one stays.
//!
//! Loading takes `CAP_BPF` and `CAP_PERFMON`, and no kernel with sched_ext; afterwards both may be given up. The kernel
//! numbers processes as the first PID namespace does, so this works there only.

mod known;
mod layout;
mod programs;
mod tree;

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use gthulhu_lib::process::cgroup::{OwnDepth, Roots};
use gthulhu_lib::process::governed::{self, CgroupProcs};
use gthulhu_lib::process::walk::WalkOptions;
use gthulhu_lib::process::{Change, Changes, Governed, Located, ProcessSource, Snapshot, SourceError};

use crate::cgroups::{Mount, MountError};
use crate::scheduler::LoadError;
use known::{Known, Scope, View};
use layout::{Deed, Task, Told};
use programs::Programs;
use tree::Tree;

/// The inode number of the first PID namespace, part of the kernel's interface for user space.
const FIRST_PIDS: u64 = 0xEFFF_FFFC;
/// The id of the cgroup that all others are below.
const ROOT_CGROUP: u64 = 1;

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct WatchOptions {
    /// The cgroup below which pods are found, if it is none of the usual ones.
    pub cgroup_root: Option<String>,
    /// Where the host's tree of version 2 is mounted; empty: where the mounts say.
    pub cgroup_mount: PathBuf,
}

/// Why this source cannot be used here.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// There is no cgroup tree of version 2.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// Paths in it would be others than on the host.
    #[error("{} shows a part of the host's cgroup tree, not all of it", .0.display())]
    PartOfTree(PathBuf),
    /// Pods may have their processes in trees of version 1, which are not looked at.
    #[error(transparent)]
    Hybrid(#[from] governed::Unavailable),
    /// The kernel would tell other numbers than everybody here knows.
    #[error("this is not the first PID namespace")]
    OtherPids,
    /// A file that tells where things are cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configured cgroup root cannot be one.
    #[error(transparent)]
    CgroupRoot(#[from] SourceError),
    /// The kernel does not take the programs.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Hears what the kernel tells of all processes.
#[derive(Debug)]
pub struct BpfEvents {
    programs: Programs,
    tree: Tree,
    known: Known,
    scope: Scope,
    /// Whether what is known can be built upon: something was listed, and no event was lost since.
    is_whole: bool,
    /// How many events were lost when that was asked last.
    lost: u64,
    /// What nobody has been told of yet.
    pending: Vec<Change>,
}

impl BpfEvents {
    /// Loads the programs and begins to hear, or says why this source cannot work here.
    pub fn new(options: &WatchOptions) -> Result<Self, Unavailable> {
        let WatchOptions { cgroup_root, cgroup_mount } = options;
        // Paths are told from the root of the tree, whatever namespace this process is in.
        let roots = Roots::new(cgroup_root.as_deref(), OwnDepth::default())?;
        if inode(Path::new("/proc/self/ns/pid"))? != FIRST_PIDS {
            return Err(Unavailable::OtherPids);
        }
        let Mount { path, hybrid } = Mount::find(cgroup_mount)?;
        if inode(&path)? != ROOT_CGROUP {
            return Err(Unavailable::PartOfTree(path));
        }
        let mut tree = Tree::new(path, roots);
        if hybrid {
            // The library's source that keeps to version 2 too judges whether that is enough here.
            CgroupProcs::new(WalkOptions { cgroup_root: cgroup_root.clone(), ..WalkOptions::default() })?;
        }
        let programs = Programs::load()?;
        // After the programs: what is made from here on is told.
        let read = tree.read();
        read.map_err(|source| Unavailable::Unreadable { path: tree.path().to_owned(), source })?;
        let (known, scope) = (Known::default(), Scope::Of(Governed::default()));
        Ok(Self { programs, tree, known, scope, is_whole: false, lost: 0, pending: Vec::new() })
    }

    /// As [`snapshot`](ProcessSource::snapshot), of the processes of all pods; and what is told later is of them.
    pub fn snapshot_of_all_pods(&mut self) -> Result<Snapshot, SourceError> {
        self.snapshot_of(Scope::AllPods)
    }

    fn snapshot_of(&mut self, scope: Scope) -> Result<Snapshot, SourceError> {
        self.scope = scope;
        self.make_whole().map_err(|error| self.failed(error))?;
        self.pending.clear();
        Ok(self.known.snapshot(self.view()))
    }

    /// Everything is known afterwards, by events if none was lost since all were listed, else by a new listing.
    fn make_whole(&mut self) -> io::Result<()> {
        self.hear()?;
        if !self.is_whole {
            (self.known, self.is_whole) = self.look()?;
        } else if self.known.is_lost_in(&self.tree) {
            self.tree.read()?;
        }
        Ok(())
    }

    fn view(&self) -> View<'_> {
        View { tree: &self.tree, scope: &self.scope }
    }

    /// Everything as it is now, by a new listing, and whether it is all that there is. What was known goes on.
    fn look(&mut self) -> io::Result<(Known, bool)> {
        let before = self.hear()?;
        let lost = self.lost;
        let mut seen = Known::listed(self.programs.list()?);
        let after = self.hear()?;
        // A name is told just before it is in place. Whoever has another one since is told of as well.
        let named = before.into_iter().filter(|(deed, _)| *deed == Deed::Named);
        let mut unasked = Vec::new();
        for (deed, task) in named.chain(after) {
            seen.take(deed, &task, self.view(), &mut unasked);
        }
        if seen.is_lost_in(&self.tree) {
            // A directory shows a moment after it is told of, and that may have been while the tree was read.
            self.tree.read()?;
        }
        Ok((seen, self.lost == lost))
    }

    /// Takes what was told: all changes of what is known wait for whoever asks. Says what tasks did.
    fn hear(&mut self) -> io::Result<Vec<(Deed, Task)>> {
        let mut deeds = Vec::new();
        for told in self.programs.events()? {
            match told {
                Told::CgroupMade { id, parent, name } => self.tree.made(id, parent, &name),
                Told::CgroupGone { id } => self.tree.gone(id),
                Told::Task(deed, task) => {
                    let Self { known, tree, scope, pending, .. } = self;
                    known.take(deed, &task, View { tree, scope }, pending);
                    deeds.push((deed, task));
                }
            }
        }
        let lost = self.programs.lost()?;
        if lost != self.lost {
            tracing::debug!(events = lost - self.lost, "events of processes were lost; all are listed again");
            self.lost = lost;
            self.is_whole = false;
            self.tree.read()?;
        }
        Ok(deeds)
    }

    fn failed(&self, source: io::Error) -> SourceError {
        SourceError::Unreadable { path: self.tree.path().to_owned(), source }
    }
}

impl ProcessSource for BpfEvents {
    fn name(&self) -> &'static str {
        "bpf-events"
    }

    fn snapshot(&mut self, governed: &Governed) -> Result<Snapshot, SourceError> {
        self.snapshot_of(Scope::Of(governed.clone()))
    }

    fn changes(&mut self) -> Result<Changes, SourceError> {
        self.hear().map_err(|error| self.failed(error))?;
        let changes = std::mem::take(&mut self.pending);
        Ok(if self.is_whole { Changes::List(changes) } else { Changes::Unknown })
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        let (seen, _) = self.look().map_err(|error| self.failed(error))?;
        let mut snapshot = seen.snapshot(View { tree: &self.tree, scope: &Scope::AllPods });
        snapshot.processes.iter_mut().for_each(|process| process.threads.clear());
        Ok(snapshot)
    }

    fn locate(&mut self, tid: u32) -> Result<Located, SourceError> {
        let (seen, _) = self.look().map_err(|error| self.failed(error))?;
        Ok(seen.locate(tid, &self.tree))
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.programs.fd())
    }
}

fn inode(path: &Path) -> Result<u64, Unavailable> {
    let metadata = fs::metadata(path);
    let metadata = metadata.map_err(|source| Unavailable::Unreadable { path: path.to_owned(), source })?;
    Ok(metadata.ino())
}
