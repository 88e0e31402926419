//! Credentials that are kept up to date: read again whenever their files change, and never worse than they were.
//!
//! What is read is taken as a whole or not at all. Half a file, a key of another certificate, an authority that is none, or a
//! certificate that is over or not valid yet while ours is good: each leaves the last good set in use, with one line in the log.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use prometheus::core::Collector;

use super::credentials::Credentials;
use super::expiry::{Expiry, Series};
use super::files::Watch;
use super::source::Source;
use crate::exit::{self, Exit};
use crate::settings::Finding;
use crate::time::unix_now;

/// A set of credentials. Clones share it.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    source: Source,
    current: RwLock<Arc<Credentials>>,
    /// By what the current set is known again.
    mark: Mutex<[u8; 32]>,
    /// What was read last was refused, and somebody was told.
    refused: AtomicBool,
    expiry: Mutex<Expiry>,
    series: Series,
}

/// How files are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowOptions {
    /// How long a change waits for others to join it, counted from the first of them: a certificate and its key are two
    /// files, and may be written one after the other.
    pub debounce: Duration,
    /// How often the files are read although no change was seen.
    pub rescan: Duration,
}

impl Default for FollowOptions {
    fn default() -> FollowOptions {
        FollowOptions { debounce: Duration::from_millis(100), rescan: Duration::from_secs(10) }
    }
}

/// Follows the files until it is dropped.
#[derive(Debug)]
pub struct Following {
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

impl Live {
    /// Reads the source once. What cannot be used is named by its key.
    pub fn load(source: Source) -> Result<Live, Finding> {
        let (credentials, mark) = source.load()?;
        let series = Series::new(source.section);
        let live = Live(Arc::new(Inner {
            source,
            current: RwLock::new(Arc::new(credentials)),
            mark: Mutex::new(mark),
            refused: AtomicBool::new(false),
            expiry: Mutex::default(),
            series,
        }));
        live.notice();
        Ok(live)
    }

    /// [Loads](Live::load) the source and [follows](Live::follow) it: the usual way, whose end is that of the process.
    pub fn followed(source: Source, options: FollowOptions) -> Result<(Live, Following), Exit> {
        let live = Live::load(source)?;
        let following = live
            .follow(options)
            .map_err(|error| Exit::new(exit::OS_ERROR, format!("cannot follow the certificates: {error}")))?;
        Ok((live, following))
    }

    /// Follows the files on a thread of its own, and warns before a certificate is over. Fails when the system has no thread.
    pub fn follow(&self, options: FollowOptions) -> io::Result<Following> {
        // One pending wake says all there is to say, however many changes it stands for.
        let (wake, woken) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let mut watch = Watch::new(self.0.source.files().map(Into::into).collect(), wake.clone());
        watch.renew();
        let follower = Follower { live: self.clone(), watch, woken, options, stop: Arc::clone(&stop) };
        std::thread::Builder::new().name("certificates".to_owned()).spawn(move || follower.follow())?;
        Ok(Following { stop, wake })
    }

    /// When certificates end, and how often they were read again: for a registry.
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        self.0.series.collectors()
    }

    pub(super) fn current(&self) -> Arc<Credentials> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the source again; says whether it holds something new.
    fn look(&self) -> Result<bool, Finding> {
        let (mut credentials, mark) = self.0.source.load()?;
        let mut known = self.0.mark.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == mark {
            return Ok(false);
        }
        let current = self.current();
        if let Some(worse) = credentials.worse_than(&current, unix_now()) {
            return Err(Finding::wrong(self.0.source.section, worse));
        }
        credentials.generation = current.generation + 1;
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(credentials);
        *known = mark;
        Ok(true)
    }

    /// What came of looking.
    fn looked(&self, outcome: Result<bool, Finding>) {
        let section = self.0.source.section;
        self.0.series.usable(outcome.is_ok());
        match outcome {
            Ok(true) => {
                self.0.series.taken();
                tracing::info!(section, "certificates were read again and are in use");
            }
            Ok(false) => {}
            Err(finding) => {
                if !self.0.refused.swap(true, Ordering::Relaxed) {
                    self.0.series.refused();
                    tracing::warn!("certificates cannot be used, and the last good ones stay: {finding}");
                }
                return;
            }
        }
        self.0.refused.store(false, Ordering::Relaxed);
    }

    /// Shows when certificates end, and warns when that is soon.
    fn notice(&self) {
        let current = self.current();
        self.0.series.show(&current);
        let mut expiry = self.0.expiry.lock().unwrap_or_else(PoisonError::into_inner);
        expiry.notice(self.0.source.section, &current, unix_now());
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("section", &self.0.source.section).finish_non_exhaustive()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // If a wake is pending already, the thread sees the flag with that one.
        let _ = self.wake.try_send(());
    }
}

/// The thread's own things.
struct Follower {
    live: Live,
    watch: Watch,
    woken: Receiver<()>,
    options: FollowOptions,
    stop: Arc<AtomicBool>,
}

impl Follower {
    fn follow(mut self) {
        while self.wait(self.options.rescan) {
            self.watch.renew();
            let mut outcome = self.live.look();
            if outcome.is_err() {
                // Somebody may be in the middle of writing.
                if !self.wait(self.options.debounce) {
                    return;
                }
                outcome = self.live.look();
            }
            self.live.looked(outcome);
            self.live.notice();
        }
    }

    /// Waits for a change or that long, and then for what comes with the change. False at the end.
    fn wait(&self, longest: Duration) -> bool {
        let end = match self.woken.recv_timeout(longest) {
            Ok(()) => Instant::now() + self.options.debounce,
            Err(_) => Instant::now(),
        };
        while !self.stop.load(Ordering::Acquire) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.woken.recv_timeout(left) == Err(RecvTimeoutError::Disconnected) {
                return true;
            }
        }
        false
    }
}
