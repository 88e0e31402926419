//! The whole library in one type: give it intents, let it look at processes, read the table.

mod preview;
mod verdict;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::explain::{Explanation, Outcome};
use crate::intent::Intent;
use crate::intent::set::IntentSet;
use crate::pod_index::PodIndex;
use crate::process::{Changes, Governed, LeftOut, Located, Process, ProcessSource, Snapshot, SourceError};
use crate::resolve::{self, Muted, Rules, TaskRow};
use crate::strategy::Entry;
use crate::strategy::diff::Diff;
use crate::strategy::table::{PID_MAX_LIMIT, StrategyTable, TableWriter};

pub use preview::Preview;
pub use verdict::PodRule;

use preview::Outlook;

/// How an [`Engine`] is set up.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// The kernel's `pid_max`: the table has room for pids below it. Held to 1..=4,194,304.
    pub pid_max: u32,
}

/// Room for every pid that any kernel gives out.
impl Default for EngineOptions {
    fn default() -> Self {
        Self { pid_max: PID_MAX_LIMIT }
    }
}

/// What a look at the processes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Whether any process of a governed pod came, went or changed; if not, nothing was resolved again.
    pub processes_changed: bool,
    /// The generation of the table that readers see now.
    pub generation: u64,
}

/// Figures for metrics. Those that say so only ever grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Snapshots taken; grows.
    pub snapshots: u64,
    /// Times that tasks were resolved; grows.
    pub resolutions: u64,
    /// Governed pods that have processes.
    pub pods: usize,
    /// Processes of governed pods.
    pub processes: usize,
    /// Tasks that have a strategy.
    pub tasks: usize,
    /// What the latest snapshot could not attribute.
    pub left_out: LeftOut,
    /// The generation of the table.
    pub generation: u64,
}

/// Holds a node's intents against its processes and publishes who gets what.
///
/// It is called and never waits, spawns or logs. Only looking at processes can fail; then everything stays as
/// it was, the intents included.
pub struct Engine {
    source: Box<dyn ProcessSource>,
    /// The source's changes cannot be built upon: none was taken yet, or the last attempt failed.
    needs_snapshot: bool,
    intents: IntentSet,
    rules: Rules,
    index: PodIndex,
    muted: Muted,
    rows: Vec<TaskRow>,
    writer: TableWriter,
    /// The state of the table that the latest [`Engine::diff`] led up to.
    diffed: Vec<(u32, Entry)>,
    counters: Counters,
}

impl Engine {
    /// An engine without intents, which has not looked at any process yet. Its table is made by [`TableWriter::new`].
    pub fn new(source: Box<dyn ProcessSource>, options: EngineOptions) -> Self {
        Self::with(source, TableWriter::new(options.pid_max))
    }

    /// As [`new`](Self::new), for a process that is somebody else's.
    ///
    /// # Errors
    ///
    /// If there is no room for the table.
    pub fn try_new(source: Box<dyn ProcessSource>, options: EngineOptions) -> io::Result<Self> {
        Ok(Self::with(source, TableWriter::try_new(options.pid_max)?))
    }

    fn with(source: Box<dyn ProcessSource>, writer: TableWriter) -> Self {
        let intents = IntentSet::default();
        Self {
            source,
            needs_snapshot: true,
            rules: Rules::new(&intents),
            intents,
            index: PodIndex::default(),
            muted: Muted::new(),
            rows: Vec::new(),
            writer,
            diffed: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// Replaces all intents, forgets what was muted, looks at the processes and publishes.
    ///
    /// # Errors
    ///
    /// If the source cannot look at processes. Then intents, rows and table stay as they were, and it may be tried again.
    pub fn apply(&mut self, intents: IntentSet) -> Result<Refreshed, SourceError> {
        let Outlook { intents, rules, index, rows, left_out } = self.look_ahead(intents)?;
        let processes_changed = self.index != index;
        self.needs_snapshot = false;
        self.counters.left_out = left_out;
        self.intents = intents;
        self.rules = rules;
        self.index = index;
        self.muted.clear();
        self.publish(rows);
        Ok(self.refreshed(processes_changed))
    }

    /// What [`apply`](Self::apply) would publish for these intents now. It is the same work without its last step:
    /// nothing that anybody can see changes.
    ///
    /// # Errors
    ///
    /// If the source cannot look at processes.
    pub fn preview(&mut self, intents: IntentSet) -> Result<Preview, SourceError> {
        // The next refresh takes a snapshot, since the source keeps to the pods of this one from here on.
        self.look_ahead(intents).map(Preview::new)
    }

    /// Learns what happened to processes and publishes what follows from it. What it says is complete as of now.
    ///
    /// # Errors
    ///
    /// If the source cannot say what happened. Rows and table stay as they were; the next call looks at everything anew.
    pub fn refresh(&mut self) -> Result<Refreshed, SourceError> {
        self.learn(|source| source.changes())
    }

    /// Learns what made [`wake_fd`](Self::wake_fd) readable and publishes what follows from it. Cheaper than
    /// [`refresh`](Self::refresh), which is still needed now and then: a source is not woken by everything.
    ///
    /// # Errors
    ///
    /// As of [`refresh`](Self::refresh).
    pub fn follow(&mut self) -> Result<Refreshed, SourceError> {
        self.learn(|source| source.events())
    }

    /// Is readable while there is something to [`follow`](Self::follow). `None`: the source never knows.
    pub fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.source.wake_fd()
    }

    fn learn(
        &mut self,
        ask: impl FnOnce(&mut dyn ProcessSource) -> Result<Changes, SourceError>,
    ) -> Result<Refreshed, SourceError> {
        let changes = if self.needs_snapshot {
            Changes::Unknown
        } else {
            // What was lost with a failed answer is in no later list.
            ask(&mut *self.source).inspect_err(|_| self.needs_snapshot = true)?
        };
        let changed = match changes {
            Changes::List(list) => list.into_iter().fold(false, |any, change| self.index.apply(change) | any),
            Changes::Unknown => {
                let Snapshot { processes, left_out } = self.snapshot(&self.rules.governed())?;
                self.needs_snapshot = false;
                self.counters.left_out = left_out;
                self.index.replace(processes)
            }
        };
        if changed {
            self.resolve();
        }
        Ok(self.refreshed(changed))
    }

    /// The intents that are applied.
    pub fn intents(&self) -> &IntentSet {
        &self.intents
    }

    /// Every task that has a strategy: leaders by pid, then other threads by tid.
    pub fn rows(&self) -> &[TaskRow] {
        &self.rows
    }

    /// The intent that won for one of this engine's [`rows`](Self::rows).
    pub fn row_intent(&self, row: &TaskRow) -> &Intent {
        &self.intents.as_slice()[row.intent]
    }

    /// Every governed pod with processes, by uid; its processes by pid.
    pub fn pods(&self) -> impl ExactSizeIterator<Item = (&str, &[Process])> {
        self.index.pods()
    }

    /// The processes of a governed pod (uid in lower case), by pid.
    pub fn pod(&self, uid: &str) -> &[Process] {
        self.index.pod(uid)
    }

    /// Looks at every pod, governed or not; without threads. Nothing follows from it.
    ///
    /// # Errors
    ///
    /// If the source cannot look at processes.
    pub fn survey(&mut self) -> Result<PodIndex, SourceError> {
        let mut index = PodIndex::default();
        index.replace(self.source.survey()?.processes);
        Ok(index)
    }

    /// The table that schedulers read. It lives as long as anybody holds it.
    pub fn table(&self) -> Arc<StrategyTable> {
        Arc::clone(self.writer.table())
    }

    /// What changed in the table since the last call (at first: since it was empty).
    pub fn diff(&mut self) -> Diff {
        let current = self.writer.current();
        let diff = Diff::between(&self.diffed, current);
        if !diff.is_empty() {
            self.diffed = current.to_vec();
        }
        diff
    }

    /// Says why a process or thread has its strategy or none, from a look at it at this moment.
    ///
    /// # Errors
    ///
    /// If the source cannot look processes up. A task that is not there, or in no pod, is an answer and no error.
    pub fn explain(&mut self, pid: u32) -> Result<Explanation, SourceError> {
        let without_process = |outcome| Explanation::without_process(pid, outcome);
        let process = match self.source.locate(pid)? {
            Located::NotFound => return Ok(without_process(Outcome::NotFound)),
            Located::Elsewhere => return Ok(without_process(Outcome::NotInPod)),
            Located::Refused(why) => return Ok(without_process(Outcome::Refused(why.into()))),
            Located::InPod(process) => process,
        };
        let thread = process.threads.iter().copied().find(|thread| thread.tid == pid);
        let start = match thread {
            Some(thread) => thread.start,
            None if pid == process.id.pid => process.id.start,
            None => return Ok(without_process(Outcome::NotFound)), // ended while it was looked up
        };
        let muted = [None, thread].into_iter().any(|thread| self.muted.contains(&(process.id, thread)));
        let published = self.writer.table().lookup_task(pid, start).map(Entry::resolved);
        Ok(Explanation::of_process(pid, &process, &mut self.rules, &self.intents, muted, published))
    }

    /// Takes the strategy away from one process (by pid, with its threads) or one thread (by tid) of a pod until
    /// the next [`apply`](Self::apply). Says whether there is such a task.
    pub fn mute(&mut self, pod_uid: &str, pid: u32) -> bool {
        let of_pod = self.index.pod(&pod_uid.to_ascii_lowercase());
        let found = of_pod.iter().find_map(|process| {
            if process.id.pid == pid {
                return Some((process.id, None));
            }
            let thread = process.threads.iter().find(|thread| thread.tid == pid)?;
            Some((process.id, Some(*thread)))
        });
        if let Some(task) = found {
            self.muted.insert(task);
            self.resolve();
        }
        found.is_some()
    }

    /// Takes away all intents of one pod.
    pub fn remove_pod(&mut self, pod_uid: &str) {
        let remaining = self.intents.without_pod(pod_uid);
        if remaining.len() != self.intents.len() {
            self.rules = self.rules.of_next(&remaining);
            self.intents = remaining;
            // The source keeps to the pods of its last snapshot.
            self.needs_snapshot = true;
            self.resolve();
        }
    }

    /// The name of the source of processes.
    pub fn source_name(&self) -> &'static str {
        self.source.name()
    }

    /// Figures for metrics.
    pub fn counters(&self) -> Counters {
        Counters {
            pods: self.index.pods().len(),
            processes: self.index.process_count(),
            tasks: self.rows.len(),
            generation: self.writer.table().generation(),
            ..self.counters
        }
    }

    /// What follows from these intents and a look at the processes.
    fn look_ahead(&mut self, intents: IntentSet) -> Result<Outlook, SourceError> {
        let mut rules = self.rules.of_next(&intents);
        let Snapshot { processes, left_out } = self.snapshot(&rules.governed())?;
        let mut index = PodIndex::default();
        index.replace(processes);
        let rows = rules.resolve(&index, &Muted::new());
        Ok(Outlook { intents, rules, index, rows, left_out })
    }

    /// Looks at all processes. Whoever builds on the outcome notes that changes relative to it can be asked for.
    fn snapshot(&mut self, governed: &Governed) -> Result<Snapshot, SourceError> {
        // From here on the source may keep to other pods than the index does.
        self.needs_snapshot = true;
        let snapshot = self.source.snapshot(governed)?;
        self.counters.snapshots += 1;
        Ok(snapshot)
    }

    fn resolve(&mut self) {
        // Tasks that ended cannot come back.
        let index = &self.index;
        self.muted.retain(|&(id, thread)| {
            let process = index.process(id.pid).filter(|process| process.id == id);
            process.is_some_and(|process| thread.is_none_or(|thread| process.threads.contains(&thread)))
        });
        let rows = self.rules.resolve(index, &self.muted);
        self.publish(rows);
    }

    fn publish(&mut self, rows: Vec<TaskRow>) {
        self.writer.replace(resolve::entries(&rows));
        self.rows = rows;
        self.counters.resolutions += 1;
    }

    fn refreshed(&self, processes_changed: bool) -> Refreshed {
        Refreshed { processes_changed, generation: self.writer.table().generation() }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (source, counters) = (self.source_name(), self.counters());
        f.debug_struct("Engine").field("source", &source).field("counters", &counters).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
