//! A watch on the directories that files lie in: where they are named, and where links lead.
//!
//! Files are replaced in many ways: written in place, renamed over, or, in a volume of Kubernetes, moved all at once by a link
//! `..data` beside them that is made to point elsewhere. Each shows as an event in one of the two directories.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

pub(super) struct Watch {
    files: Vec<PathBuf>,
    wake: SyncSender<()>,
    live: Option<(BTreeSet<Dir>, RecommendedWatcher)>,
    /// Said in the log once.
    complained: bool,
}

/// A directory, with its device and inode: another one may come to have its name.
type Dir = (PathBuf, u64, u64);

impl Watch {
    pub(super) fn new(files: Vec<PathBuf>, wake: SyncSender<()>) -> Watch {
        Watch { files, wake, live: None, complained: false }
    }

    /// Watches the directories as they are now, unless they are watched already.
    pub(super) fn renew(&mut self) {
        let dirs: BTreeSet<Dir> = self.files.iter().flat_map(|file| dirs_of(file)).collect();
        if self.live.as_ref().is_some_and(|(watched, _)| *watched == dirs) || dirs.is_empty() {
            return;
        }
        self.live = None;
        match self.begin(&dirs) {
            Ok(watcher) => {
                self.live = Some((dirs, watcher));
                // What happened between the look before and this watch.
                let _ = self.wake.try_send(());
            }
            Err(error) if !self.complained => {
                tracing::warn!(%error, "certificates cannot be watched; they are read again now and then");
                self.complained = true;
            }
            Err(_) => {}
        }
    }

    fn begin(&self, dirs: &BTreeSet<Dir>) -> notify::Result<RecommendedWatcher> {
        let wake = self.wake.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !is_reading(event.kind)) {
                // A wake that is pending already stands for this change too.
                let _ = wake.try_send(());
            }
        })?;
        for (dir, ..) in dirs {
            watcher.watch(dir, RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    }
}

fn dirs_of(file: &Path) -> impl Iterator<Item = Dir> {
    let named = file.parent().map(Path::to_owned);
    let real = file.canonicalize().ok().and_then(|file| file.parent().map(Path::to_owned));
    [named, real].into_iter().flatten().filter_map(|dir| {
        let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
        let meta = dir.metadata().ok()?;
        Some((dir, meta.dev(), meta.ino()))
    })
}

/// Reading a file is an event too; only the end of writing it matters.
fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}
