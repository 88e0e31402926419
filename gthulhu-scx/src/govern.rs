//! The one who makes strategies true: holds the engine, knows which cgroup is whose, and keeps the kernel's maps equal
//! to what is wanted.
//!
//! ```text
//!   intents ──> engine ──┐
//!                        ├─> plan ── compared with what was written ──> maps ──> publish
//!   cgroup tree ─────────┘
//!   unknown command name ──> engine ──> verdict ──────────────────────> maps
//! ```
//!
//! A pod is one entry of a map, by the id of its cgroup; only pods that have no cgroup of version 2 are governed process
//! by process. The plan is always made whole and only differences are written, so nothing has to be repaired after a
//! failure: the next round tries what is missing. It is made from what is here, pods and named cgroups, which may be far
//! less than what is wanted. A single change is published at once, a storm of them at most ten
//! times a second.
//!
//! Everything happens in calls of one thread. [`Governor::due`] says when [`Governor::work`] wants to be called.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gthulhu_lib::engine::Engine;
use gthulhu_lib::process::{ProcessId, SourceError};
use gthulhu_lib::strategy::Resolved;
use gthulhu_lib::strategy::table::TableWriter;

use crate::cgroups::Tree;
use crate::maps::{Event, KernelMaps, MapsError};
use crate::targets::Wanted;

mod pace;
mod places;
mod plan;
mod processes;
mod readers;
mod verdicts;
mod written;

use pace::Pace;
use places::Places;
use processes::Processes;
use verdicts::RuleNumbers;
use written::Written;

/// Tells the time; tests have their own.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// How long to wait after something failed.
const RETRY: Duration = Duration::from_secs(1);

/// Why a round was not completed. The next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum GovernError {
    /// Processes cannot be looked up.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The kernel's maps do not take something.
    #[error(transparent)]
    Maps(#[from] MapsError),
}

/// What is not up to date.
#[derive(Clone, Copy, Debug, Default)]
struct Stale {
    /// The engine has other intents than are wanted.
    intents: bool,
    /// The cgroups of pods and targets have to be looked up again.
    places: bool,
    /// Processes came, went or changed their names.
    processes: bool,
}

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The generation that the kernel side has now; 0 before the first.
    pub generation: u64,
    /// Cgroups that have a rule.
    pub rules: usize,
    /// Processes that have a rule of their own.
    pub pids: usize,
    /// Rules that found no room in the kernel's maps.
    pub refused: usize,
    /// Processes that were named and are not there, or not any more.
    pub pids_gone: usize,
    /// Pods that have intents.
    pub pods: usize,
    /// Of these, those governed process by process because they have no cgroup of version 2.
    pub pods_by_process: usize,
    /// Cgroups that were named and are not there.
    pub missing_cgroups: Vec<String>,
    /// Verdicts given.
    pub verdicts: u64,
    /// Changes that wait for the next round.
    pub pending: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Governor {
    engine: Engine,
    tree: Tree,
    proc_root: PathBuf,
    wanted: Wanted,
    stale: Stale,
    /// The maps may differ from what is due.
    unwritten: bool,
    pace: Pace,
    places: Places,
    numbers: RuleNumbers,
    processes: Processes,
    written: Written,
    /// The table of other programs, if there are to be any.
    readers: Option<TableWriter>,
    facts: Facts,
    /// Events that had found no room in the ring when that was last looked at.
    events_lost: u64,
    /// Whether the log says that rules found no room.
    complained: bool,
}

impl Governor {
    /// Wants nothing yet. Pods without a cgroup of version 2 are looked at every `poll`.
    pub fn new(engine: Engine, tree: Tree, proc_root: PathBuf, poll: Duration, clock: Clock) -> Self {
        Self {
            engine,
            tree,
            proc_root,
            wanted: Wanted::default(),
            stale: Stale { intents: true, places: true, ..Stale::default() },
            unwritten: true,
            pace: Pace::new(clock, poll),
            places: Places::default(),
            numbers: RuleNumbers::default(),
            processes: Processes::default(),
            written: Written::default(),
            readers: None,
            facts: Facts::default(),
            events_lost: 0,
            complained: false,
        }
    }

    /// From now on this is wanted, and nothing else.
    pub fn want(&mut self, wanted: Wanted) {
        self.processes.forget();
        self.wanted = wanted;
        (self.stale.intents, self.stale.places) = (true, true);
    }

    /// The maps are new and empty: everything has to be written.
    pub fn start_anew(&mut self) {
        self.written = Written::default();
        self.numbers.forget_answers();
        (self.facts.generation, self.events_lost) = (0, 0);
        (self.stale.places, self.unwritten) = (true, true);
        self.pace.hurry();
    }

    /// Takes note of an event; a question for a verdict is answered at once.
    pub fn hear(&mut self, event: &Event, maps: &mut dyn KernelMaps) -> Result<(), MapsError> {
        match event {
            Event::UnknownComm { rule, comm, .. } => self.answer(*rule, comm, maps)?,
            Event::CgroupMade { path, .. } => self.stale.places |= self.places.may_concern(path),
            Event::CgroupGone { cgroup, .. } => {
                if self.written.forget_cgroup(*cgroup, maps)? {
                    self.stale.places = true;
                }
            }
            Event::ProcessNew { comm, .. } => {
                self.stale.processes = true;
                self.foresee(comm, maps)?;
            }
            Event::ProcessGone { tgid, .. } => {
                self.stale.processes = true;
                // The kernel side has dropped its rule with it.
                if let Some(id) = self.written.forget_pid(*tgid) {
                    self.note_end(id);
                }
            }
        }
        Ok(())
    }

    /// When [`work`](Self::work) has something to do.
    pub fn due(&self) -> Instant {
        self.pace.due(self.is_behind(), self.stale.processes)
    }

    /// Does what is due by now.
    pub fn work(&mut self, maps: &mut dyn KernelMaps) -> Result<(), GovernError> {
        let done = self.round(maps);
        if done.is_err() {
            self.pace.failed();
        }
        self.note_pending();
        done
    }

    /// Whether the maps may have to be written.
    fn is_behind(&self) -> bool {
        self.stale.intents || self.stale.places || self.unwritten
    }

    fn round(&mut self, maps: &mut dyn KernelMaps) -> Result<(), GovernError> {
        if self.is_behind() && self.pace.may_publish() {
            self.look()?;
            self.write(maps)?;
        } else if self.pace.may_walk(self.stale.processes) {
            self.walk()?;
            // What follows from that is not held back for another round.
            if self.unwritten && self.pace.may_publish() {
                self.look()?;
                self.write(maps)?;
            }
        }
        if self.pace.may_sweep() {
            self.sweep(maps)?;
            self.make_up_for_lost_events(maps)?;
        }
        Ok(())
    }

    /// Looks everything up again if the ring had no room for some event, and now and then without a reason.
    fn make_up_for_lost_events(&mut self, maps: &mut dyn KernelMaps) -> Result<(), MapsError> {
        let lost = maps.counters()?.events_lost;
        if std::mem::replace(&mut self.events_lost, lost) != lost || self.pace.may_repair() {
            (self.stale.places, self.stale.processes) = (true, true);
        }
        Ok(())
    }

    /// Brings engine and places up to date.
    fn look(&mut self) -> Result<(), GovernError> {
        let anew = std::mem::take(&mut self.stale.intents);
        if anew {
            self.engine.apply(self.wanted.set.clone()).inspect_err(|_| self.stale.intents = true)?;
            self.stale.processes = false;
            self.pace.walked();
        }
        if self.stale.places {
            self.places = Places::look(&self.tree, &self.wanted.cgroups);
            self.stale.places = false;
        }
        self.unwritten = true;
        if anew {
            self.tell_readers();
        } else if self.readers_want_more_than_pods() {
            // What that takes is a walk's part of the time, however often cgroups come and go.
            self.stale.processes = true;
        }
        Ok(())
    }

    fn walk(&mut self) -> Result<(), GovernError> {
        let changed = self.engine.refresh()?.processes_changed;
        self.stale.processes = false;
        if changed && self.pace.is_polling() {
            // Beside older hierarchies a cgroup begins to count with its first process, which is no event.
            (self.stale.places, self.unwritten) = (true, true);
        }
        if changed || self.readers_want_more_than_pods() {
            self.tell_readers();
        }
        self.pace.walked();
        Ok(())
    }

    /// Makes the maps equal to the plan, and publishes if that changed anything.
    fn write(&mut self, maps: &mut dyn KernelMaps) -> Result<(), MapsError> {
        let plan = self.plan();
        self.prefill(&plan, maps)?;
        let wrote = self.written.bring(&plan, maps)?;
        if wrote.changed || self.facts.generation == 0 {
            self.facts.generation = maps.publish()?;
            self.pace.published();
        }
        self.unwritten = false;
        self.numbers.keep_only(&plan.cgroups);
        self.pace.set_polling(plan.unplaced > 0 && self.tree.mount().hybrid || plan.pods_by_process > 0);
        self.facts.rules = self.written.cgroups();
        self.facts.pids = self.written.pids();
        self.facts.refused = wrote.refused;
        self.facts.pods = plan.pods;
        self.facts.pods_by_process = plan.pods_by_process;
        self.facts.missing_cgroups = self.places.missing().map(str::to_owned).collect();
        self.complain(wrote.full.as_ref());
        Ok(())
    }

    /// Says once that there is no room, and once that there is room again.
    fn complain(&mut self, full: Option<&MapsError>) {
        match full {
            Some(error) if !self.complained => {
                tracing::error!(refused = self.facts.refused, "{error}; what was written before holds");
            }
            None if self.complained => tracing::info!("every rule has room again"),
            _ => {}
        }
        self.complained = full.is_some();
    }

    fn note_pending(&mut self) {
        let Stale { intents, places, processes } = self.stale;
        self.facts.pending = [intents, places, processes, self.unwritten].map(u64::from).iter().sum();
        self.facts.pids_gone = self.processes.gone();
    }

    /// How things stand.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The engine, to be asked.
    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// The tree of cgroups.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// A process that was named itself, with the strategy that it is due.
    pub fn named_process(&self, pid: u32) -> Option<(ProcessId, Resolved)> {
        let (first, last) = (ProcessId { pid, start: 0 }, ProcessId { pid, start: u64::MAX });
        self.wanted.processes.range(first..=last).next_back().map(|(&id, &resolved)| (id, resolved))
    }

    /// The path of a cgroup that has a rule, or could have.
    pub fn path_of(&self, cgroup: u64) -> Option<&str> {
        self.places.paths().remove(&cgroup)
    }

    /// The cgroups that have a rule, each with its path, as far as that is known.
    pub fn governed_cgroups(&self) -> impl Iterator<Item = (u64, &str)> {
        let paths = self.places.paths();
        self.written.cgroup_ids().map(move |id| (id, paths.get(&id).copied().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests;
