//! The cluster as a watched folder of ordinary v1 Pod manifests, for machines without Kubernetes.
//!
//! Every `.yaml`, `.yml` and `.json` file directly in the folder counts, hidden ones excepted. A change is taken
//! in a moment after it happened; a slow look at the whole folder makes up for whatever the watch missed, among
//! that the folder itself being replaced.
//!
//! Everything happens on one thread of its own: it only waits, reads files and swaps the view.

mod manifest;
mod scan;

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;
use tracing::warn;

use self::scan::Scanner;
use super::{Cluster, ClusterView};

/// How the folder is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderOptions {
    /// How long a change waits for others to join it, counted from the first of them.
    pub debounce: Duration,
    /// How often the folder is looked at although no change was seen.
    pub rescan: Duration,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self { debounce: Duration::from_millis(20), rescan: Duration::from_secs(5) }
    }
}

/// A watched folder. Dropping it ends the watch.
#[derive(Debug)]
pub struct FolderCluster {
    shared: Arc<Shared>,
    wake: SyncSender<()>,
}

#[derive(Debug)]
struct Shared {
    view: RwLock<Arc<ClusterView>>,
    revision: watch::Sender<u64>,
    stop: AtomicBool,
}

impl FolderCluster {
    /// Reads the folder once, then watches it. A folder that cannot be read is no error: the view says so, and
    /// the folder is tried again. `nodes` are known besides those that pods name.
    ///
    /// Fails when the system has no thread left.
    pub fn open(dir: &Path, nodes: Vec<String>, options: FolderOptions) -> io::Result<Self> {
        // One pending wake says all there is to say, however many changes it stands for.
        let (wake, woken) = sync_channel(1);
        let mut watch = Watch { dir: dir.to_owned(), wake: wake.clone(), live: None };
        watch.renew();
        let mut scanner = Scanner::new(dir, nodes);
        let view = RwLock::new(Arc::new(scanner.scan()));
        let shared = Arc::new(Shared { view, revision: watch::Sender::new(0), stop: AtomicBool::new(false) });
        let follower = Follower { shared: Arc::clone(&shared), scanner, watch, woken, options };
        std::thread::Builder::new().name("pods-folder".to_owned()).spawn(move || follower.follow())?;
        Ok(Self { shared, wake })
    }
}

impl Cluster for FolderCluster {
    fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.shared.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }
}

impl Drop for FolderCluster {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // If a wake is pending already, the thread sees the flag with that one.
        let _ = self.wake.try_send(());
    }
}

/// The thread's own things.
struct Follower {
    shared: Arc<Shared>,
    scanner: Scanner,
    watch: Watch,
    woken: Receiver<()>,
    options: FolderOptions,
}

impl Follower {
    fn follow(mut self) {
        while self.wait() {
            self.watch.renew();
            let view = self.scanner.scan();
            let mut current = self.shared.view.write().unwrap_or_else(PoisonError::into_inner);
            if **current != view {
                *current = Arc::new(view);
                drop(current);
                self.shared.revision.send_modify(|revision| *revision += 1);
            }
        }
    }

    /// Waits for the next look. False at the end.
    fn wait(&self) -> bool {
        let end = match self.woken.recv_timeout(self.options.rescan) {
            Ok(()) => Instant::now() + self.options.debounce,
            Err(_) => Instant::now(),
        };
        while !self.shared.stop.load(Ordering::Acquire) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.woken.recv_timeout(left) == Err(RecvTimeoutError::Disconnected) {
                return true;
            }
        }
        false
    }
}

/// The watch on the folder, bound to the directory that now has its name.
struct Watch {
    dir: PathBuf,
    wake: SyncSender<()>,
    live: Option<(Identity, RecommendedWatcher)>,
}

/// Device and inode.
type Identity = (u64, u64);

impl Watch {
    /// Watches the directory if it is not watched yet, or is another one than before.
    fn renew(&mut self) {
        let identity = std::fs::metadata(&self.dir).map(|metadata| (metadata.dev(), metadata.ino())).ok();
        if self.live.as_ref().map(|(watched, _)| *watched) == identity {
            return;
        }
        self.live = None;
        let Some(identity) = identity else { return };
        match self.begin() {
            Ok(watcher) => self.live = Some((identity, watcher)),
            Err(error) => {
                warn!(folder = %self.dir.display(), %error, "pods folder cannot be watched; looking at it now and then");
            }
        }
    }

    fn begin(&self) -> notify::Result<RecommendedWatcher> {
        let wake = self.wake.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !is_our_own_reading(event.kind)) {
                // A wake that is pending already stands for this change too.
                let _ = wake.try_send(());
            }
        })?;
        watcher.watch(&self.dir, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    }
}

/// Reading a file is an event too; only the end of writing it matters.
fn is_our_own_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests;
