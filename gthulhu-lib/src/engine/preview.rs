//! What a set of intents would do: everything that applying it does, but for the publication.

use std::collections::{BTreeMap, HashSet};

use crate::explain::Verdict;
use crate::id::Id;
use crate::intent::Intent;
use crate::intent::set::IntentSet;
use crate::pod_index::PodIndex;
use crate::process::{LeftOut, Process};
use crate::resolve::{Rules, Standing, TaskRow};
use crate::wire::preview::{
    CONFLICTS_MAX, Conflict, INTENTS_MAX, IntentPreview, MatchedProcess, MissedProcess, NEAR_MISSES_MAX,
    PROCESSES_MAX, PreviewReply, ProcessClause, WHOLE,
};

/// What follows from a set of intents and a look at the processes.
#[derive(Debug)]
pub(super) struct Outlook {
    pub(super) intents: IntentSet,
    pub(super) rules: Rules,
    pub(super) index: PodIndex,
    pub(super) rows: Vec<TaskRow>,
    pub(super) left_out: LeftOut,
}

/// What [`Engine::apply`](super::Engine::apply) would have published, to be read instead.
#[derive(Debug)]
pub struct Preview(Outlook);

impl Preview {
    pub(super) fn new(outlook: Outlook) -> Self {
        Self(outlook)
    }

    /// Every task that would have a strategy: leaders by pid, then other threads by tid.
    pub fn rows(&self) -> &[TaskRow] {
        &self.0.rows
    }

    /// The intent that would win for one of these [`rows`](Self::rows).
    pub fn row_intent(&self, row: &TaskRow) -> &Intent {
        &self.0.intents.as_slice()[row.intent]
    }

    /// What each intent would do, in canonical order: those of one strategy, or all. The node's name is left to who
    /// knows it.
    pub fn report(mut self, strategy: Option<Id>) -> PreviewReply {
        let asked: Vec<usize> = (self.0.intents.iter().enumerate())
            .filter(|(_, intent)| strategy.is_none() || intent.strategy() == strategy)
            .map(|(position, _)| position)
            .collect();
        let listed = &asked[..asked.len().min(INTENTS_MAX)];
        let mut drafts: Vec<Option<Draft>> = Vec::new();
        drafts.resize_with(self.0.intents.len(), || None);
        for &position in listed {
            drafts[position] = Some(Draft::new(&self.0.intents.as_slice()[position]));
        }
        for row in &self.0.rows {
            if let Some(draft) = &mut drafts[row.intent] {
                draft.told.tasks += 1;
            }
        }
        self.judge(listed, &mut drafts);
        let mut intents: Vec<IntentPreview> = drafts.into_iter().flatten().map(Draft::finish).collect();
        bound(&mut intents);
        PreviewReply {
            node_name: String::new(),
            source: String::new(),
            omitted: (asked.len() - intents.len()) as u64,
            intents,
            refused: self.0.left_out.refused,
            unreadable: self.0.left_out.unreadable,
        }
    }

    /// Holds the listed intents against the processes of their pods.
    fn judge(&mut self, listed: &[usize], drafts: &mut [Option<Draft>]) {
        let Outlook { intents, rules, index, .. } = &mut self.0;
        let pods: HashSet<String> =
            listed.iter().map(|&at| intents.as_slice()[at].pod_uid().to_ascii_lowercase()).collect();
        for uid in pods {
            for process in index.pod(&uid) {
                let standings = rules.standings(&uid, &process.comm);
                let stand = || rules.of_pod(&uid).iter().zip(&standings);
                for (rule, &standing) in stand() {
                    let Some(draft) = &mut drafts[rule.intent] else { continue };
                    draft.count(process, standing);
                    if standing == Standing::Wins {
                        for (other, _) in stand().filter(|(_, other)| matches!(other, Standing::LosesTo(_))) {
                            draft.conflicts.entry(other.strategy).or_default().won += 1;
                        }
                    }
                }
            }
        }
    }
}

/// What is known of an intent while its processes are looked at.
struct Draft {
    told: IntentPreview,
    conflicts: BTreeMap<Option<Id>, Conflict>,
}

impl Draft {
    /// The intent, before any process was looked at.
    fn new(intent: &Intent) -> Self {
        let told = IntentPreview {
            strategy_id: intent.strategy(),
            pod_id: intent.pod_uid().to_owned(),
            pod_name: intent.pod_name().to_owned(),
            k8s_namespace: intent.namespace().to_owned(),
            command_regex: intent.command_regex().to_owned(),
            priority: intent.priority(),
            execution_time: intent.execution_time(),
            ..IntentPreview::default()
        };
        Self { told, conflicts: BTreeMap::new() }
    }

    /// Adds one process of the intent's pod.
    fn count(&mut self, process: &Process, standing: Standing) {
        let told = &mut self.told;
        told.pod_processes += 1;
        let (pid, command) = (process.id.pid, || process.comm.to_string());
        let clause = match standing {
            Standing::Wins | Standing::LosesTo(_) => {
                told.matched += 1;
                match standing {
                    Standing::LosesTo(winner) => self.conflicts.entry(winner).or_default().lost += 1,
                    _ => told.wins += 1,
                }
                if told.processes.len() < PROCESSES_MAX {
                    let (tasks, verdict) = (1 + process.threads.len() as u64, Verdict::of(standing, false));
                    told.processes.push(MatchedProcess { pid, command: command(), tasks, verdict });
                }
                return;
            }
            Standing::OtherName => ProcessClause::CommandRegex,
            Standing::Sandbox => ProcessClause::Pause,
        };
        if told.near_misses.len() < NEAR_MISSES_MAX {
            told.near_misses.push(MissedProcess { pid, command: command(), clause });
        }
    }

    fn finish(self) -> IntentPreview {
        let named = |(strategy_id, conflict)| Conflict { strategy_id, ..conflict };
        IntentPreview { conflicts: self.conflicts.into_iter().map(named).collect(), ..self.told }
    }
}

/// Cuts the lists to what the whole may hold, and says where something is missing.
fn bound(intents: &mut [IntentPreview]) {
    let [mut processes, mut misses, mut conflicts] =
        [PROCESSES_MAX, NEAR_MISSES_MAX, CONFLICTS_MAX].map(|most| WHOLE * most);
    for intent in intents {
        let conflicting = intent.conflicts.len();
        intent.processes.truncate(processes);
        intent.near_misses.truncate(misses);
        intent.conflicts.truncate(conflicts.min(CONFLICTS_MAX));
        processes -= intent.processes.len();
        misses -= intent.near_misses.len();
        conflicts -= intent.conflicts.len();
        let listed = intent.processes.len() + intent.near_misses.len();
        intent.truncated = (listed as u64) < intent.pod_processes || intent.conflicts.len() < conflicting;
    }
}
