//! What the worker says of itself: answers on the control socket, and reports to the decision maker.

use gthulhu_lib::wire::feed;
use serde::Serialize;
use serde_json::Value;

use super::standing::monotonic_ns;
use super::worker::Worker;
use crate::control::{Answer, Question};
use crate::explain::{self, Explained};
use crate::feed::report;
use crate::machine::{Attachment, Machine};
use crate::maps::{Counters, Event};
use crate::stats::{self, Stats};

impl<M: Machine> Worker<M> {
    pub(super) fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Status => {
                let now = self.now();
                value(&self.standing.status(&mut self.governor, &self.supervisor, now))
            }
            Question::Stats => value(&self.stats()),
            Question::Explain { pid } => value(&self.explain(pid)),
        }
    }

    pub(super) fn explain(&mut self, pid: u32) -> Explained {
        let maps = self.attached.as_mut().map(|attached| &*attached.maps());
        explain::explain(&mut self.governor, maps, pid)
    }

    /// What the kernel side counts now; all zero while it is not attached.
    fn counted(&mut self) -> Counters {
        let counted = self.attached.as_mut().map(|attached| attached.maps().counters());
        counted
            .transpose()
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "counters cannot be read");
                None
            })
            .unwrap_or_default()
    }

    /// The counters as a decision maker gets them.
    pub(super) fn counters(&mut self) -> feed::Counters {
        let counted = self.counted();
        self.counters_of(&counted)
    }

    fn counters_of(&self, counted: &Counters) -> feed::Counters {
        let facts = self.governor.facts();
        let standing = report::Standing {
            state: self.standing.state.for_feed(),
            detail: self.standing.detail.clone(),
            last_run_ns: self.standing.last_run_ns,
            pending: facts.pending,
        };
        let mut counters = report::counters(counted, standing);
        let limits = &self.standing.limits;
        let unenforced = if limits.broken() { limits.cgroups } else { 0 };
        let more = [
            ("attachments_total", self.standing.attachments),
            ("strategy_generation", facts.generation),
            ("cgroup_rules", facts.rules as u64),
            ("pid_rules", facts.pids as u64),
            ("rules_without_room", facts.refused as u64),
            ("named_processes_gone", facts.pids_gone as u64),
            ("pods_by_process", facts.pods_by_process as u64),
            ("limits_unenforced", unenforced as u64),
            ("verdicts_total", facts.verdicts),
        ];
        counters.more.extend(more.map(|(name, value)| (name.to_owned(), value)));
        counters
    }

    fn stats(&mut self) -> Stats {
        let counted = self.counted();
        let waits = [("governed", &counted.governed_waits), ("normal", &counted.normal_waits)];
        Stats {
            counters: self.counters_of(&counted),
            wait_us: waits.map(|(kind, waits)| (kind.to_owned(), stats::bounds(waits))).into(),
            cgroups: self.cgroup_counters(),
            last_exit: self.standing.last_exit.clone(),
            at_ns: monotonic_ns(),
        }
    }

    fn cgroup_counters(&mut self) -> std::collections::BTreeMap<String, crate::maps::CgroupCounters> {
        let Some(attached) = &mut self.attached else { return std::collections::BTreeMap::new() };
        let maps = attached.maps();
        let governed = self.governor.governed_cgroups();
        governed
            .filter_map(|(id, path)| Some((path.to_owned(), maps.cgroup_counters(id).ok().flatten()?)))
            .collect()
    }

    /// Tells the decision maker what happened, if there is a way to it.
    pub(super) fn pass_on(&self, events: &[Event]) {
        if let Some(feed) = &self.feed
            && !events.is_empty()
        {
            feed.send(feed::Events { lost: 0, events: events.iter().map(report::event).collect() }.into());
        }
    }

    /// Answers the decision maker's question.
    pub(super) fn explain_upward(&mut self, id: u64, pid: u32) {
        let Explained { task, text, .. } = self.explain(pid);
        if let Some(feed) = &self.feed {
            feed.send(feed::Explanation { id, pid, task, text }.into());
        }
    }
}

fn value(told: &impl Serialize) -> Answer {
    match serde_json::to_value(told) {
        Ok(value @ Value::Object(_)) => Answer::Ok(value),
        Ok(_) => Answer::Error("there is no such answer".to_owned()),
        Err(error) => Answer::Error(error.to_string()),
    }
}
