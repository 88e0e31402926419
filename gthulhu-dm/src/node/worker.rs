//! The node's thread: commands in order, one scan for all who ask together, and a scan of its own when nobody does.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use gthulhu_lib::{
    engine::{Engine, Refreshed},
    intent::set::IntentSet,
    process::SourceError,
    wire::{PodPids, preview::PreviewReply},
};

use super::{
    Candidate, Command, Holding, NodeError, Options, Removal, Rows, Shown,
    inbox::{Inbox, Woken},
    rows,
};
use crate::{
    fence::{Digest, Pair},
    metrics::Metrics,
    state::{State, StateFile},
};

#[derive(Clone, Copy)]
struct Hashes {
    merkle_root: Digest,
    digest: Digest,
}

type Scanned = Result<(), Arc<SourceError>>;

pub(super) struct Worker {
    engine: Engine,
    file: StateFile,
    /// What is on disk: what this node holds.
    state: State,
    /// Whether the engine works with `state`. If not, it could not look at processes when it was told, and is told
    /// again at the next scan.
    applied: bool,
    /// The rows as they were last shown, while nothing has changed.
    rows: Option<Rows>,
    /// The hashes of the intents held, while those are the same.
    hashes: Option<Hashes>,
    metrics: Metrics,
    shown: Arc<Shown>,
    options: Options,
    scanned_at: Instant,
    /// Before this the source is not heard.
    hear_at: Instant,
    /// Whether the last scan worked.
    seeing: bool,
}

/// How long a node without intents goes without looking at processes unasked.
const IDLE: Duration = Duration::from_secs(3600);

/// How many times as long as it took to hear the source, it is not heard again: a storm of processes gathers meanwhile, and
/// takes a fifth of a CPU at most.
const DEAF: u32 = 4;

impl Worker {
    pub(super) fn new(
        engine: Engine,
        file: StateFile,
        state: State,
        metrics: Metrics,
        shown: Arc<Shown>,
        options: Options,
    ) -> Worker {
        let scanned_at = Instant::now();
        Worker {
            engine,
            file,
            state,
            applied: false,
            rows: None,
            hashes: None,
            metrics,
            shown,
            options,
            scanned_at,
            hear_at: scanned_at,
            seeing: false,
        }
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, inbox: &Inbox) {
        let _ = self.scan();
        loop {
            let Woken { by_bell, by_source } = self.wait(inbox);
            if by_bell {
                let Some(commands) = inbox.take() else { return };
                self.answer(&mut commands.into());
            }
            if by_source {
                self.follow();
            } else if self.pause().is_zero() {
                // A failure is in the status, the log and the counters; the next try is one poll away.
                let _ = self.scan();
            }
        }
    }

    fn wait(&self, inbox: &Inbox) -> Woken {
        let deaf = self.hear_at.saturating_duration_since(Instant::now());
        let hears = self.applied && self.seeing && !self.state.intents.is_empty();
        match self.engine.wake_fd().filter(|_| hears) {
            Some(source) if deaf.is_zero() => inbox.wait(Some(source), self.pause()),
            Some(_) => inbox.wait(None, self.pause().min(deaf)),
            None => inbox.wait(None, self.pause()),
        }
    }

    /// How long to wait for commands before looking at processes unasked.
    fn pause(&self) -> Duration {
        let idle = self.applied && self.seeing && self.state.intents.is_empty();
        let every = if idle { IDLE } else { self.options.poll };
        every.saturating_sub(self.scanned_at.elapsed())
    }

    /// Answers everybody who waits. Those who ask about processes share one scan: it begins after they asked, so it
    /// is as fresh as they can expect. After a change in between, the next of them has a scan again.
    fn answer(&mut self, waiting: &mut VecDeque<Command>) {
        let mut shared: Option<Scanned> = None;
        let mut listed: Option<Result<Vec<PodPids>, Arc<SourceError>>> = None;
        for command in waiting.drain(..) {
            // A caller who has gone away does not want the answer, hence the ignored results.
            match command {
                Command::Push(intents, pair, answer) => {
                    shared = None;
                    let _ = answer.send(self.push(intents, pair));
                }
                Command::Remove(removal, answer) => {
                    shared = None;
                    let _ = answer.send(self.remove(&removal));
                }
                Command::Holding(answer) => {
                    let _ = answer.send(Ok(self.holding()));
                }
                Command::Rows(answer) => {
                    let scanned = shared.get_or_insert_with(|| self.scan()).clone();
                    let rows = scanned.map(|()| self.rows()).map_err(NodeError::Scan);
                    if let Ok(rows) = &rows {
                        self.shown.latest.saw(self.scanned_at, rows);
                    }
                    let _ = answer.send(rows);
                }
                Command::Pods(answer) => {
                    let pods = listed.get_or_insert_with(|| self.list()).clone().map_err(NodeError::Scan);
                    let _ = answer.send(pods);
                }
                Command::Explain(pid, answer) => {
                    let why = self.engine.explain(pid).map_err(|error| NodeError::Scan(Arc::new(error)));
                    let _ = answer.send(why);
                }
                Command::Preview(candidate, answer) => {
                    let _ = answer.send(self.preview(candidate));
                }
            }
        }
    }

    /// A push up to the point where something would change. A set without numbers is not judged as a push: whoever asks
    /// may not know yet under which numbers it will come.
    fn preview(&mut self, candidate: Candidate) -> Result<PreviewReply, NodeError> {
        let Candidate { intents, pair, strategy } = candidate;
        if pair.is_some() {
            let judged = self.state.fence.judge(pair, intents.digest(), self.options.accept_unnumbered);
            judged.map_err(NodeError::Superseded)?;
        }
        let preview = self.engine.preview(intents).map_err(|error| NodeError::Scan(Arc::new(error)))?;
        Ok(PreviewReply { source: self.engine.source_name().to_owned(), ..preview.report(strategy) })
    }

    fn push(&mut self, intents: IntentSet, pair: Option<Pair>) -> Result<(), NodeError> {
        let judged = self.state.fence.judge(pair, intents.digest(), self.options.accept_unnumbered);
        let fence = judged.map_err(|held| {
            self.metrics.superseded_pushes.inc();
            NodeError::Superseded(held)
        })?;
        let next = State { fence, intents, muted: Vec::new() };
        if next != self.state {
            // A node that cannot see its processes must not say that it governs them.
            self.scan().map_err(NodeError::Scan)?;
        }
        self.replace(next)?;
        self.metrics.pushes.inc();
        Ok(())
    }

    fn remove(&mut self, removal: &Removal) -> Result<(), NodeError> {
        let mut next = self.state.clone();
        match removal {
            Removal::All => {
                next.intents = IntentSet::default();
                next.muted.clear();
            }
            Removal::Pod(pod) => next.intents = next.intents.without_pod(pod),
            Removal::Process { pod, pid } => {
                self.scan().map_err(NodeError::Scan)?;
                next.muted.extend(rows::governed_task(&self.engine, pod, *pid));
                next.muted.sort();
                next.muted.dedup();
            }
        }
        if next != self.state {
            next.fence = next.fence.edit();
        }
        self.replace(next)
    }

    /// Makes `next` what this node holds: first on disk, then in memory.
    fn replace(&mut self, next: State) -> Result<(), NodeError> {
        if next == self.state {
            return Ok(());
        }
        let saved = self.file.save(&next);
        self.shown.status.stored(saved.as_ref().map(|&()| ()).map_err(ToString::to_string));
        saved.map_err(NodeError::NotStored)?;
        self.state = next;
        self.shown.latest.forget();
        self.shown.held.send_replace(self.state.clone());
        self.applied = false;
        self.hashes = None;
        // From here on the change holds, even if this scan fails: then a later one applies it.
        let _ = self.scan();
        Ok(())
    }

    /// Looks at the processes.
    fn scan(&mut self) -> Scanned {
        let started = Instant::now();
        let outcome = if self.applied { self.engine.refresh() } else { self.apply() };
        self.scanned_at = Instant::now();
        self.metrics.scanned(self.scanned_at - started);
        self.saw(outcome)
    }

    /// Hears what the source has to tell.
    fn follow(&mut self) {
        let started = Instant::now();
        let outcome = self.engine.follow();
        let changed = outcome.as_ref().is_ok_and(|followed| followed.processes_changed);
        let now = Instant::now();
        self.hear_at = now + (now - started) * DEAF;
        if self.saw(outcome).is_err() {
            self.hear_at = now + self.options.poll;
        }
        if changed {
            self.shown.latest.forget();
        }
    }

    /// Tells status, metrics and log what came of a look.
    fn saw(&mut self, outcome: Result<Refreshed, SourceError>) -> Scanned {
        let outcome = outcome.map_err(Arc::new);
        self.seeing = outcome.is_ok();
        let seen = outcome.as_ref().map(|_| ()).map_err(|error| chain(error));
        let news = self.shown.status.scanned(self.engine.source_name(), seen);
        match &outcome {
            Ok(_) if news => tracing::info!("processes can be looked up again"),
            Ok(_) => {}
            Err(error) => {
                self.metrics.scan_failures.inc();
                if news {
                    tracing::error!(error = chain(error), "processes cannot be looked up; trying again");
                }
            }
        }
        if outcome.as_ref().is_ok_and(|refreshed| refreshed.processes_changed) {
            self.rows = None;
        }
        if outcome.is_err() {
            self.shown.latest.forget();
        }
        self.show();
        outcome.map(|_| ())
    }

    /// Looks at all pods, those without intents too.
    fn list(&mut self) -> Result<Vec<PodPids>, Arc<SourceError>> {
        let survey = self.engine.survey();
        if survey.is_err() {
            // What cannot be looked at now is not answered from an earlier look.
            self.shown.latest.forget();
        }
        survey.map(|survey| rows::of_pods(&survey)).map_err(Arc::new)
    }

    /// Gives the engine what this node holds.
    fn apply(&mut self) -> Result<Refreshed, SourceError> {
        let refreshed = self.engine.apply(self.state.intents.clone())?;
        for muted in &self.state.muted {
            if rows::is_there(&self.engine, muted) {
                self.engine.mute(&muted.pod, muted.pid);
            }
        }
        self.applied = true;
        self.rows = None;
        Ok(refreshed)
    }

    fn holding(&mut self) -> Holding {
        let State { fence, intents, .. } = &self.state;
        let hashes = self
            .hashes
            .get_or_insert_with(|| Hashes { merkle_root: intents.merkle_root(), digest: intents.digest() });
        Holding { merkle_root: hashes.merkle_root, digest: hashes.digest, fence: *fence }
    }

    fn rows(&mut self) -> Rows {
        self.rows.get_or_insert_with(|| rows::of_tasks(&self.engine)).clone()
    }

    fn show(&self) {
        let counters = self.engine.counters();
        let pair = self.state.fence.held.map(|held| held.pair);
        let rows = [
            (&self.metrics.intents, self.state.intents.len() as u64),
            (&self.metrics.governed_tasks, counters.tasks as u64),
            (&self.metrics.refused_cgroups, counters.left_out.refused),
            (&self.metrics.unreadable_processes, counters.left_out.unreadable),
            (&self.metrics.epoch, pair.map_or(0, |pair| pair.epoch)),
            (&self.metrics.generation, pair.map_or(0, |pair| pair.generation)),
        ];
        for (gauge, value) in rows {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }
}

/// An error and its cause in one line.
fn chain(error: &SourceError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
