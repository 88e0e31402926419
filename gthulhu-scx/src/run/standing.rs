//! Whether the scheduler is attached, since when, and why not: everything that is told and nothing that decides.

use std::time::Instant;

use super::{Origin, shown};
use crate::cgroups::Tree;
use crate::govern::{Facts, Governor};
use crate::preflight::kernel_release;
use crate::status::{Cgroups, Intents, Limits, State, Status};
use crate::supervise::{Next, Supervisor};

/// See the module.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) state: State,
    pub(super) detail: String,
    pub(super) last_exit: Option<String>,
    pub(super) attachments: u64,
    pub(super) intents: Intents,
    pub(super) limits: Limits,
    /// When the worker last completed a round, in monotonic nanoseconds.
    pub(super) last_run_ns: u64,
    cgroups: Cgroups,
    since: Instant,
    /// Whether there is a change that nobody was told of yet.
    news: bool,
}

impl Standing {
    pub(super) fn new(origin: &Origin, tree: &Tree) -> Self {
        let (source, path) = match origin {
            Origin::File(path) => ("file", path),
            Origin::Feed(path) => ("feed", path),
        };
        let intents = Intents { source: source.to_owned(), path: shown(path), ..Intents::default() };
        let mount = tree.mount();
        Self {
            state: State::Starting,
            detail: String::new(),
            last_exit: None,
            attachments: 0,
            intents,
            limits: Limits::default(),
            last_run_ns: monotonic_ns(),
            cgroups: Cgroups { mount: shown(&mount.path), hybrid: mount.hybrid },
            since: Instant::now(),
            news: true,
        }
    }

    /// The state changes.
    pub(super) fn becomes(&mut self, state: State, detail: impl Into<String>, now: Instant) {
        (self.state, self.detail, self.since, self.news) = (state, detail.into(), now, true);
    }

    /// Whether the state has changed since this was last asked.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// Everything that `status` tells.
    pub(super) fn status(&self, governor: &mut Governor, supervisor: &Supervisor, now: Instant) -> Status {
        let process_source = governor.engine().source_name().to_owned();
        let next = match supervisor.next(now) {
            Next::At(then) if self.state != State::Attached => Some(then - now),
            _ => None,
        };
        let Facts {
            generation,
            rules,
            pids,
            refused,
            pids_gone,
            pods,
            pods_by_process,
            missing_cgroups,
            verdicts,
            pending: _,
        } = governor.facts().clone();
        Status {
            state: self.state,
            detail: self.detail.clone(),
            since_seconds: now.saturating_duration_since(self.since).as_secs(),
            next_attempt_seconds: next.map(|wait| wait.as_secs()),
            last_exit: self.last_exit.clone(),
            attachments: self.attachments,
            failures: supervisor.failures(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: kernel_release(),
            pid: std::process::id(),
            generation,
            rules,
            pids,
            refused,
            pids_gone,
            pods,
            pods_by_process,
            missing_cgroups,
            verdicts,
            process_source,
            intents: self.intents.clone(),
            cgroups: self.cgroups.clone(),
            limits: self.limits.clone(),
        }
    }
}

/// The clock that kernel and user space share.
pub(super) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}
