//! The machine as preflight sees it; in tests a planted tree.

use std::path::{Path, PathBuf};

use rustix::thread::{CapabilitySet, capabilities};

/// Where to look, and what this process may do.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    /// The configured place of the cgroup tree; empty: where the mounts say.
    pub cgroup_mount: PathBuf,
    /// The capabilities in force.
    pub capabilities: CapabilitySet,
}

impl Host {
    /// This machine, seen by this thread.
    pub fn this(cgroup_mount: &Path) -> Self {
        // A kernel that cannot say what a thread may do refuses it for itself.
        let capabilities = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        Self { root: PathBuf::from("/"), cgroup_mount: cgroup_mount.to_owned(), capabilities }
    }

    /// A machine whose files are below `root`.
    #[cfg(test)]
    pub(super) fn planted(root: &Path) -> Self {
        Self { root: root.to_owned(), cgroup_mount: PathBuf::new(), capabilities: CapabilitySet::all() }
    }

    /// A path from the root.
    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// Where the kernel speaks of the class.
    pub(super) fn sched_ext(&self) -> PathBuf {
        self.path("sys/kernel/sched_ext")
    }
}
