//! Listing the intents that follow from one's strategies, and excluding some of them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use gthulhu_lib::derive::{DerivedIntent, Pod, derive};
use gthulhu_lib::id::{Id, intent_id};
use gthulhu_lib::wire::IntentBody;

use super::access::{Granted, IntentDelete, IntentRead, Whose};
use super::page::{ByPod, Page, Paged};
use super::{Service, ServiceError, now_ms};
use crate::domain::{Exclusion, Strategy};
use crate::store::audit::Origin;
use crate::store::{AuditEntry, Batch, Document, Key};

/// The namespace of a pod that is not known.
static NOWHERE: String = String::new();

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
    /// The intents of the caller's strategies within the scope of his grant, by strategy and pod; for an administrator,
    /// on demand, those of all users.
    pub fn intents(
        &self,
        grant: &Granted<IntentRead>,
        whose: Whose,
        page: &Page<ByPod>,
    ) -> Result<Paged<ListedIntent>, ServiceError> {
        whose.check(grant, &self.world.state())?;
        let picture = self.picture();
        let shown = picture
            .strategies()
            .values()
            .map(|stored| &stored.value)
            .filter(|strategy| whose.includes(grant.uid(), strategy.creator));
        let intents = shown.flat_map(|strategy| {
            let intents = picture.intents_of(strategy.id).iter();
            intents.filter(|intent| grant.covers_pod(strategy, &intent.pod.namespace))
        });
        let Paged { rows, next } =
            page.of(intents.map(|intent| ((intent.strategy.id, intent.pod.uid.as_str()), intent)));
        Ok(Paged { rows: rows.into_iter().map(|intent| self.listed(intent)).collect(), next })
    }

    /// What was excluded from the same strategies, as the intents would be. One whose pod cannot be seen now has only
    /// the pod's uid, and no namespace: a grant for some namespaces does not show it.
    pub fn excluded_intents(
        &self,
        grant: &Granted<IntentRead>,
        whose: Whose,
        page: &Page<ByPod>,
    ) -> Result<Paged<ListedIntent>, ServiceError> {
        let state = self.world.state();
        whose.check(grant, &state)?;
        let picture = self.picture();
        let pods: HashMap<&str, &Arc<Pod>> =
            picture.pods().iter().map(|pod| (pod.uid.as_str(), pod)).collect();
        let excluded = state.exclusions.values().filter_map(|stored| {
            let strategy = &state.strategies.get(&stored.value.strategy)?.value;
            let uid = stored.value.pod_uid.as_str();
            let pod = pods.get(uid).copied();
            let namespace = pod.map_or(&NOWHERE, |pod| &pod.namespace);
            let shown =
                whose.includes(grant.uid(), strategy.creator) && grant.covers_pod(strategy, namespace);
            shown.then_some(((strategy.id, uid), (strategy, uid, pod)))
        });
        let Paged { rows, next } = page.of(excluded);
        let listed = |(strategy, uid, pod): (&Strategy, &str, Option<&Arc<Pod>>)| ListedIntent {
            id: intent_id(strategy.id, uid),
            strategy: strategy.id,
            body: pod.and_then(|pod| seen(strategy, pod)).unwrap_or_else(|| unseen(strategy, uid)),
            accepted: false,
            last_error: None,
            generation: 0,
        };
        Ok(Paged { rows: rows.into_iter().map(listed).collect(), next })
    }

    /// Excludes intents of the caller's strategies, or of any for an administrator: all of them, or none if one is not
    /// his or not there. They stay excluded until their strategy is changed or deleted, or their pod is gone.
    pub fn delete_intents(
        &self,
        grant: &Granted<IntentDelete>,
        request_id: &str,
        ids: &[Id],
        whose: Whose,
    ) -> Result<(), ServiceError> {
        let origin = grant.origin(request_id);
        let picture = self.picture();
        let wanted: BTreeSet<Id> = ids.iter().copied().collect();
        let found: Vec<_> = picture.intents().iter().filter(|intent| wanted.contains(&intent.id)).collect();
        self.world.mutate(|state| {
            let grant = grant.again(state)?;
            whose.check(&grant, state)?;
            let mut batch: Option<Batch> = None;
            let mut count = 0;
            for intent in &found {
                let strategy = state.strategies.get(&intent.strategy.id);
                let strategy = strategy.filter(|stored| whose.includes(grant.uid(), stored.value.creator));
                let Some(strategy) = strategy else { continue };
                if state.exclusions.contains_key(&intent.id) {
                    continue;
                }
                if !grant.covers_pod(&strategy.value, &intent.pod.namespace) {
                    return Err(ServiceError::Denied);
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
        let mut vanished: HashSet<String> =
            self.world.state().exclusions.values().map(|stored| stored.value.pod_uid.clone()).collect();
        for pod in view.pods.iter() {
            vanished.remove(&pod.uid);
        }
        if vanished.is_empty() {
            return Ok(0);
        }
        let origin = Origin::system(now_ms());
        self.world.mutate(|state| {
            let gone: Vec<_> =
                state.exclusions.values().filter(|stored| vanished.contains(&stored.value.pod_uid)).collect();
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

/// The intent as it would be, if the strategy still is for this pod.
fn seen(strategy: &Strategy, pod: &Arc<Pod>) -> Option<IntentBody> {
    let spec = Arc::new(strategy.spec());
    derive(&[spec], &[Arc::clone(pod)], &HashSet::new()).intents.first().map(DerivedIntent::body)
}

/// The part of an intent that is known without its pod.
fn unseen(strategy: &Strategy, pod_uid: &str) -> IntentBody {
    IntentBody {
        pod_id: pod_uid.to_string(),
        command_regex: strategy.command_regex.clone(),
        priority: strategy.priority,
        execution_time: strategy.execution_time,
        strategy_id: Some(strategy.id.to_string()),
        ..IntentBody::default()
    }
}

#[cfg(test)]
mod tests;
