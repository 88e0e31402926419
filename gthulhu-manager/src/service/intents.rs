//! Listing the intents that follow from one's strategies, and excluding some of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use gthulhu_lib::derive::{DerivedIntent, derive};
use gthulhu_lib::id::Id;
use gthulhu_lib::wire::IntentBody;

use super::access::{Granted, IntentDelete, IntentRead};
use super::{Service, ServiceError, now_ms};
use crate::domain::Exclusion;
use crate::store::audit::Origin;
use crate::store::{AuditEntry, Batch, Document, Key};

/// One intent, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedIntent {
    /// Identity: the same for the same strategy and pod, always.
    pub id: Id,
    /// The strategy it follows from.
    pub strategy: Id,
    /// What its node is asked to hold.
    pub body: IntentBody,
    /// The node holds exactly this.
    pub accepted: bool,
    /// Why not, when the node said why.
    pub last_error: Option<String>,
    /// The generation the node accepted last; 0 for none.
    pub generation: u64,
}

impl Service {
    /// The intents of the caller's strategies, by strategy and pod.
    pub fn intents(&self, grant: &Granted<IntentRead>) -> Vec<ListedIntent> {
        let picture = self.picture();
        let own = picture.strategies().values().filter(|strategy| strategy.value.creator == grant.uid());
        own.flat_map(|strategy| picture.intents_of(strategy.value.id))
            .map(|intent| self.listed(intent))
            .collect()
    }

    /// What the caller excluded, as the intents would be. One whose pod cannot be seen now has only the pod's uid.
    pub fn excluded_intents(&self, grant: &Granted<IntentRead>) -> Vec<ListedIntent> {
        let (state, picture) = (self.world.state(), self.picture());
        let mut pods_of: BTreeMap<Id, BTreeSet<&str>> = BTreeMap::new();
        for exclusion in state.exclusions.values().map(|stored| &stored.value) {
            if exclusion.creator == grant.uid() {
                pods_of.entry(exclusion.strategy).or_default().insert(&exclusion.pod_uid);
            }
        }
        let mut listed = Vec::new();
        for (strategy, uids) in pods_of {
            let Some(stored) = state.strategies.get(&strategy) else { continue };
            let spec = Arc::new(stored.value.spec());
            let seen: Vec<_> =
                picture.pods().iter().filter(|pod| uids.contains(pod.uid.as_str())).cloned().collect();
            let derived = derive(&[Arc::clone(&spec)], &seen, &HashSet::new()).intents;
            let mut bodies: BTreeMap<_, _> =
                derived.iter().map(|intent| (intent.pod.uid.as_str(), intent.body())).collect();
            listed.extend(uids.iter().map(|uid| ListedIntent {
                id: gthulhu_lib::id::intent_id(strategy, uid),
                strategy,
                body: bodies.remove(uid).unwrap_or_else(|| unseen(strategy, uid, &stored.value)),
                accepted: false,
                last_error: None,
                generation: 0,
            }));
        }
        listed
    }

    /// Excludes intents of the caller's strategies: all of them, or none if one is not his or not there. They stay
    /// excluded until their strategy is changed or deleted, or their pod is gone.
    pub fn delete_intents(
        &self,
        grant: &Granted<IntentDelete>,
        request_id: &str,
        ids: &[Id],
    ) -> Result<(), ServiceError> {
        let origin = grant.origin(request_id);
        let picture = self.picture();
        let wanted: BTreeSet<Id> = ids.iter().copied().collect();
        let found: Vec<_> = picture.intents().iter().filter(|intent| wanted.contains(&intent.id)).collect();
        self.world.mutate(|state| {
            let grant = grant.again(state)?;
            let mut batch: Option<Batch> = None;
            let mut count = 0;
            for intent in &found {
                let strategy = state.strategies.get(&intent.strategy.id);
                let Some(strategy) = strategy.filter(|stored| stored.value.creator == grant.uid()) else {
                    continue;
                };
                if state.exclusions.contains_key(&intent.id) {
                    continue;
                }
                count += 1;
                let exclusion = Document::Exclusion(exclusion(intent, grant.uid(), origin.at_ms));
                let entry = AuditEntry::created(&origin, "exclusion.create", &exclusion);
                let next = Batch::going_on(batch.take(), entry);
                batch =
                    Some(next.given(strategy.version, Key::Strategy(strategy.value.id)).create(exclusion));
            }
            if count == wanted.len() { Ok((batch, ())) } else { Err(ServiceError::NoIntentsToDelete) }
        })
    }

    /// Drops the exclusions of pods that are gone, when the view of the cluster is complete enough to know. Returns
    /// how many.
    pub fn forget_vanished_pods(&self) -> Result<usize, ServiceError> {
        let view = self.cluster.view();
        if !view.complete || self.world.state().exclusions.is_empty() {
            return Ok(0);
        }
        let alive: HashSet<&str> = view.pods.iter().map(|pod| pod.uid.as_str()).collect();
        let origin = Origin::system(now_ms());
        self.world.mutate(|state| {
            let gone: Vec<_> = state
                .exclusions
                .values()
                .filter(|stored| !alive.contains(stored.value.pod_uid.as_str()))
                .collect();
            let batch = gone.iter().fold(None, |batch: Option<Batch>, stored| {
                let document = Document::Exclusion(stored.value.clone());
                let entry = AuditEntry::deleted(&origin, "exclusion.delete", &document);
                Some(Batch::going_on(batch, entry).delete(stored.version, document.key()))
            });
            Ok((batch, gone.len()))
        })
    }

    /// Does the intent's node hold exactly this?
    pub(super) fn accepted(&self, intent: &DerivedIntent) -> bool {
        self.node_states.holds(intent.node(), &intent.body())
    }

    fn listed(&self, intent: &DerivedIntent) -> ListedIntent {
        let (node, body) = (intent.node(), intent.body());
        let accepted = self.node_states.holds(node, &body);
        ListedIntent {
            id: intent.id,
            strategy: intent.strategy.id,
            body,
            accepted,
            last_error: if accepted { None } else { self.node_states.last_error(node) },
            generation: self.node_states.generation(node),
        }
    }
}

fn exclusion(intent: &DerivedIntent, creator: Id, at_ms: i64) -> Exclusion {
    Exclusion { id: intent.id, strategy: intent.strategy.id, pod_uid: intent.pod.uid.clone(), creator, at_ms }
}

/// The part of an intent that is known without its pod.
fn unseen(id: Id, pod_uid: &str, strategy: &crate::domain::Strategy) -> IntentBody {
    IntentBody {
        pod_id: pod_uid.to_string(),
        command_regex: strategy.command_regex.clone(),
        priority: strategy.priority,
        execution_time: strategy.execution_time,
        strategy_id: Some(id.to_string()),
        ..IntentBody::default()
    }
}

#[cfg(test)]
mod tests;
