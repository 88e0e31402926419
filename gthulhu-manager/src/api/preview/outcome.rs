//! One answer, made of a rehearsal and of what the nodes told. A node's word counts for the pods that are on it, and
//! for nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gthulhu_lib::derive::Pod;
use gthulhu_lib::id::Id;
use gthulhu_lib::intent::Intent;
use gthulhu_lib::wire::preview::{IntentPreview, PreviewReply};

use super::Sets;
use crate::api::bodies::{
    ConflictReply, PodMissReply, PodPreview, PreviewAnswer, Seeing, Seen, Totals, UnknownNode,
};
use crate::api::error::public_reason;
use crate::nodes::driver::AskError;
use crate::service::{PodMiss, Rehearsal};

/// How many pods are listed.
const PODS_MAX: usize = 256;
/// How many processes are listed, over all pods: that match, and that do not.
const PROCESSES_MAX: usize = 4096;
/// How many strategies are listed that are for the same pods.
const CONFLICTS_MAX: usize = 256;

/// Why a node was not asked.
const UNASKED: &str = "there are too many nodes to ask them all";
/// Why an answer without the intent in question is none.
const SILENT: &str = "the decision maker of this node did not tell of every pod";

/// Everything that is known of a strategy that nobody has created.
pub(super) struct Outcome {
    pub(super) rehearsal: Rehearsal,
    pub(super) sets: Sets,
    pub(super) told: BTreeMap<String, Result<PreviewReply, AskError>>,
}

/// What the pods of one node come to.
type Unknown = BTreeMap<String, (&'static str, usize)>;

impl Outcome {
    pub(super) fn into_answer(mut self) -> PreviewAnswer {
        let mut conflicts = self.conflicts();
        let mut told = self.told_of_pods();
        let mut unknown = Unknown::new();
        let mut totals = Totals::default();
        let mut pods = Vec::new();
        let mut nodes = BTreeSet::new();
        let mut truncated = false;
        let (mut matches, mut misses) = (PROCESSES_MAX, PROCESSES_MAX);
        for pod in &self.rehearsal.pods {
            totals.pods += 1;
            nodes.extend(pod.node.as_deref());
            let (state, seen) = self.pod(pod, &mut told, &mut unknown);
            if let Some(seen) = &seen {
                count(&mut conflicts, seen);
                totals.matched = totals.matched.saturating_add(seen.matched);
                totals.wins = totals.wins.saturating_add(seen.wins);
                totals.tasks = totals.tasks.saturating_add(seen.tasks);
            }
            if pods.len() == PODS_MAX {
                truncated = true;
                continue;
            }
            let mut listed = pod_preview(pod, state, seen.map(Seen::from));
            if let Some(seen) = &mut listed.seen {
                seen.processes.truncate(matches);
                seen.near_misses.truncate(misses);
                matches -= seen.processes.len();
                misses -= seen.near_misses.len();
                truncated |= (seen.processes.len() + seen.near_misses.len()) as u64 != seen.pod_processes;
            }
            pods.push(listed);
        }
        totals.nodes = nodes.len();
        let Rehearsal { refusal, incomplete, near_misses, near_miss_count, .. } = self.rehearsal;
        truncated |= near_misses.len() < near_miss_count || conflicts.len() > CONFLICTS_MAX;
        PreviewAnswer {
            refusal: refusal.map(|refusal| refusal.to_string()),
            incomplete,
            totals,
            pods,
            near_misses: near_misses.into_iter().map(PodMissReply::from).collect(),
            near_miss_count,
            conflicts: conflicts.into_values().take(CONFLICTS_MAX).collect(),
            unknown: unknown
                .into_iter()
                .map(|(node_id, (reason, pods))| UnknownNode { node_id, reason: reason.to_owned(), pods })
                .collect(),
            truncated,
        }
    }

    /// What was told of the strategy's intents, by node and pod; nothing else of the answers is used.
    fn told_of_pods(&mut self) -> HashMap<(String, String), IntentPreview> {
        let strategy = Some(self.rehearsal.strategy.id);
        let mut told = HashMap::new();
        for (node, answer) in &mut self.told {
            let Ok(reply) = answer else { continue };
            let of_it = std::mem::take(&mut reply.intents).into_iter();
            for intent in of_it.filter(|intent| intent.strategy_id == strategy) {
                told.insert((node.clone(), intent.pod_id.clone()), intent);
            }
        }
        told
    }

    /// How it stands with one pod; a node that has not told is noted.
    fn pod(
        &self,
        pod: &Pod,
        told: &mut HashMap<(String, String), IntentPreview>,
        unknown: &mut Unknown,
    ) -> (Seeing, Option<IntentPreview>) {
        let Some(node) = &pod.node else { return (Seeing::NotScheduled, None) };
        let reason = if self.rehearsal.unasked.contains(node) {
            UNASKED
        } else if !self.is_sent(node, &pod.uid) {
            return (Seeing::LeftOut, None);
        } else {
            match (self.told.get(node), told.remove(&(node.clone(), pod.uid.clone()))) {
                (Some(Err(error)), _) => public_reason(error),
                (_, Some(seen)) => return (Seeing::Known, Some(seen)),
                (_, None) => SILENT,
            }
        };
        unknown.entry(node.clone()).or_insert((reason, 0)).1 += 1;
        (Seeing::Unknown, None)
    }

    fn is_sent(&self, node: &str, pod_uid: &str) -> bool {
        let strategy = Some(self.rehearsal.strategy.id);
        let is_it = |intent: &Intent| intent.strategy() == strategy && intent.pod_uid() == pod_uid;
        self.sets.0.get(node).is_some_and(|set| set.iter().any(is_it))
    }

    /// The strategies for some of the same pods, by id, before any process was counted.
    fn conflicts(&self) -> BTreeMap<Id, ConflictReply> {
        let mut conflicts: BTreeMap<Id, ConflictReply> = BTreeMap::new();
        let candidate = self.rehearsal.strategy.id;
        let all = || self.sets.0.values().flatten();
        let Some(new) = all().find(|intent| intent.strategy() == Some(candidate)) else { return conflicts };
        for intent in all() {
            let Some(other) = intent.strategy().filter(|&other| other != candidate) else { continue };
            let conflict = conflicts.entry(other).or_insert_with(|| ConflictReply {
                strategy_id: other,
                own: self.rehearsal.own.contains(&other),
                priority: intent.priority(),
                execution_time: intent.execution_time(),
                stronger: intent.strength() < new.strength(),
                pods: 0,
                won: 0,
                lost: 0,
            });
            conflict.pods += 1;
        }
        conflicts
    }
}

/// Adds the processes of one pod that go to one strategy or the other; of strategies that are not for the pod nothing is
/// believed.
fn count(conflicts: &mut BTreeMap<Id, ConflictReply>, seen: &IntentPreview) {
    for told in &seen.conflicts {
        let known = told.strategy_id.and_then(|other| conflicts.get_mut(&other));
        if let Some(known) = known {
            known.won = known.won.saturating_add(told.won);
            known.lost = known.lost.saturating_add(told.lost);
        }
    }
}

fn pod_preview(pod: &Pod, state: Seeing, seen: Option<Seen>) -> PodPreview {
    PodPreview {
        pod_id: pod.uid.clone(),
        pod_name: pod.name.clone(),
        k8s_namespace: pod.namespace.clone(),
        node_id: pod.node.clone(),
        state,
        seen,
    }
}

impl From<PodMiss> for PodMissReply {
    fn from(PodMiss { pod, clause, wanted, found }: PodMiss) -> Self {
        let (pod_id, pod_name, k8s_namespace) = (pod.uid.clone(), pod.name.clone(), pod.namespace.clone());
        Self { pod_id, pod_name, k8s_namespace, clause, wanted, found }
    }
}

#[cfg(test)]
mod tests;
