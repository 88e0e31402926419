//! Intents times processes: which intent wins for each task.
//!
//! Every intent of a process's pod whose regex matches the leader's name applies to the process. The stronger
//! one wins (1 > 2 > ... > 20 > 0), then the one of the smaller strategy id (an intent that names no strategy
//! comes last), then the first in the set's canonical order. Nothing depends on the order of insertion. The
//! intents of a pod are sorted by this once per set, so that the first match is the winner.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::id::Id;
use crate::intent::Intent;
use crate::intent::set::IntentSet;
use crate::matcher::{CommandRegex, Matchers, PAUSE};
use crate::pod_index::PodIndex;
use crate::process::{Comm, Governed, Process, ProcessId, Thread};
use crate::strategy::{Entry, Resolved};

/// The strategy of one task: a process's leader or one of its other threads.
#[derive(Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Thread id; the process's pid for a leader.
    pub tid: u32,
    /// The process's pid.
    pub tgid: u32,
    /// The task's start time in clock ticks after boot.
    pub start: u64,
    /// What the winning intent comes to.
    pub resolved: Resolved,
    /// The winner's place in the set.
    pub(crate) intent: usize,
}

impl TaskRow {
    /// Whether this is the process's first thread, which has its pid.
    pub fn is_leader(&self) -> bool {
        self.tid == self.tgid
    }

    /// The table's entry for this task.
    fn entry(&self) -> (u32, Entry) {
        (self.tid, Entry::pack(self.resolved, self.start))
    }
}

/// The table's entries, ascending by number and then by start, so that of several tasks with one number the one that
/// started last comes last.
///
/// A walk takes time. It may see a thread of one process, and once that has ended its number as another process's
/// leader; or a process, and later its number as a thread of another. Only the later task can still be there. The
/// entries' own tags could not tell: they hold the low bits of the start only.
pub(crate) fn entries(rows: &[TaskRow]) -> Vec<(u32, Entry)> {
    let mut rows: Vec<&TaskRow> = rows.iter().collect();
    rows.sort_by_key(|row| (row.tid, row.start)); // two ascending runs, which a stable sort only has to merge
    rows.into_iter().map(TaskRow::entry).collect()
}

/// Tasks that get nothing until the next set: whole processes, or single threads of them.
pub(crate) type Muted = HashSet<(ProcessId, Option<Thread>)>;

/// One intent, ready to be applied.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Place in the set.
    pub(crate) intent: usize,
    pub(crate) strategy: Option<Id>,
    pub(crate) resolved: Resolved,
    matcher: usize,
}

/// How a rule stands to the processes of its pod that have one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It acts on them.
    Wins,
    /// It matches, and the rule of this strategy is stronger.
    LosesTo(Option<Id>),
    /// Its regex is not found in the name.
    OtherName,
    /// The name is that of the sandbox, which no rule reaches.
    Sandbox,
}

/// A set of intents, by pod and strongest first, with its regexes compiled.
#[derive(Debug)]
pub(crate) struct Rules {
    by_pod: HashMap<Arc<str>, Vec<Rule>>,
    /// The same pods, for every look at the processes.
    governed: Governed,
    matchers: Matchers,
}

impl Rules {
    pub(crate) fn new(intents: &IntentSet) -> Self {
        Self::compiled(intents, &HashMap::new())
    }

    /// The rules of the next set. What both have in common of regexes is not compiled again.
    pub(crate) fn of_next(&self, intents: &IntentSet) -> Self {
        Self::compiled(intents, &self.matchers.by_text())
    }

    fn compiled(intents: &IntentSet, at_hand: &HashMap<&str, &CommandRegex>) -> Self {
        let mut by_pod: HashMap<Arc<str>, Vec<Rule>> = HashMap::new();
        let mut matchers = Matchers::default();
        let mut known: HashMap<&str, Option<usize>> = HashMap::new();
        for (position, intent) in intents.iter().enumerate() {
            let matcher = *known.entry(intent.command_regex()).or_insert_with_key(|text| {
                // A checked intent's regex compiles; one that did not would match nothing.
                let regex = at_hand.get(text).map(|&regex| regex.clone());
                Some(matchers.add(regex.or_else(|| CommandRegex::compile(text).ok())?))
            });
            let Some(matcher) = matcher else { continue };
            let rule =
                Rule { intent: position, strategy: intent.strategy(), resolved: intent.effective(), matcher };
            let uid = pod_of(intent);
            match by_pod.get_mut(&*uid) {
                Some(rules) => rules.push(rule),
                None => drop(by_pod.insert(uid.into(), vec![rule])),
            }
        }
        for rules in by_pod.values_mut() {
            // Between equals, the first in the set; sorting keeps their order.
            rules.sort_by_key(|rule| intents.as_slice()[rule.intent].strength());
        }
        Self { governed: Governed::of_lower_case(by_pod.keys()), by_pod, matchers }
    }

    /// The pods that have intents.
    pub(crate) fn governed(&self) -> Governed {
        self.governed.clone()
    }

    /// The uids of the pods that have intents.
    pub(crate) fn pods(&self) -> impl ExactSizeIterator<Item = &str> {
        self.by_pod.keys().map(|uid| &**uid)
    }

    /// The rules of a pod, strongest first.
    pub(crate) fn of_pod(&self, uid: &str) -> &[Rule] {
        self.by_pod.get(uid).map_or(&[], Vec::as_slice)
    }

    /// The rule that acts on the pod's processes of this name.
    pub(crate) fn winner(&mut self, uid: &str, comm: &Comm) -> Option<&Rule> {
        let Self { by_pod, matchers, .. } = self;
        winner(by_pod.get(uid)?, matchers, comm)
    }

    /// How each rule of the pod stands to its processes of this name, strongest first.
    pub(crate) fn standings(&mut self, uid: &str, comm: &Comm) -> Vec<Standing> {
        let Self { by_pod, matchers, .. } = self;
        let rules = by_pod.get(uid).map_or(&[][..], Vec::as_slice);
        let winner = winner(rules, matchers, comm).map(|winner| (winner.intent, winner.strategy));
        let matches = matchers.of(comm);
        let standing = |rule: &Rule| match winner {
            _ if comm.as_bytes() == PAUSE => Standing::Sandbox,
            Some((intent, _)) if intent == rule.intent => Standing::Wins,
            Some((_, strategy)) if matches.contains(rule.matcher) => Standing::LosesTo(strategy),
            _ => Standing::OtherName,
        };
        rules.iter().map(standing).collect()
    }

    /// The winners for all tasks: leaders by pid, then other threads by tid.
    pub(crate) fn resolve(&mut self, index: &PodIndex, muted: &Muted) -> Vec<TaskRow> {
        let Self { by_pod, matchers, .. } = self;
        let mut leaders = Vec::new();
        let mut others = Vec::new();
        // Pods that are here are fewer than pods that are wanted: the set may be that of a whole cluster.
        for (uid, processes) in index.pods() {
            let Some(rules) = by_pod.get(uid) else { continue };
            for process in processes {
                if muted.contains(&(process.id, None)) {
                    continue;
                }
                let Some(rule) = winner(rules, matchers, &process.comm) else { continue };
                leaders.push(row(rule, process, Thread { tid: process.id.pid, start: process.id.start }));
                let heard =
                    process.threads.iter().filter(|&&thread| !muted.contains(&(process.id, Some(thread))));
                others.extend(heard.map(|&thread| row(rule, process, thread)));
            }
        }
        leaders.sort_unstable_by_key(|row| row.tid);
        // Two processes can only claim one number when it changed hands during a walk; even then there is one order.
        others.sort_unstable_by_key(|row| (row.tid, row.start, row.tgid));
        leaders.append(&mut others);
        leaders
    }
}

/// The rule that acts on a process of this name: of its pod's rules, strongest first, the first that matches. The
/// sandbox has none.
fn winner<'r>(rules: &'r [Rule], matchers: &mut Matchers, comm: &Comm) -> Option<&'r Rule> {
    if comm.as_bytes() == PAUSE {
        return None;
    }
    let matches = matchers.of(comm);
    rules.iter().find(|rule| matches.contains(rule.matcher))
}

/// The uid of an intent's pod as processes carry it.
fn pod_of(intent: &Intent) -> Cow<'_, str> {
    let uid = intent.pod_uid();
    if uid.bytes().any(|byte| byte.is_ascii_uppercase()) {
        uid.to_ascii_lowercase().into()
    } else {
        uid.into()
    }
}

fn row(rule: &Rule, process: &Process, task: Thread) -> TaskRow {
    let Thread { tid, start } = task;
    TaskRow { tid, tgid: process.id.pid, start, resolved: rule.resolved, intent: rule.intent }
}

#[cfg(test)]
mod tests;
