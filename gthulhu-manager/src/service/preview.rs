//! Creating a strategy up to the point where something would be written.

use std::collections::BTreeSet;
use std::sync::Arc;

use gthulhu_lib::derive::{NearMiss, Pod, matching};
use gthulhu_lib::id::Id;
use gthulhu_lib::intent::Limits;

use super::access::{Granted, StrategyCreate};
use super::picture::{Picture, demand_pods};
use super::ports::Desired;
use super::{Service, ServiceError, StrategyInput};
use crate::domain::Strategy;

/// How many nodes a preview is about; what would happen on further ones is not worked out.
const NODES_MAX: usize = 128;
/// How many pods that a strategy just misses are named.
const NEAR_MISSES_MAX: usize = 50;

/// What creating a strategy would come to.
#[derive(Debug)]
pub struct Rehearsal {
    /// As it would be stored, but for the exact id. Its id is greater than any other, as the true one will be.
    pub strategy: Strategy,
    /// The caller's strategies.
    pub own: BTreeSet<Id>,
    /// What strategies may ask for.
    pub limits: Limits,
    /// Why it would be refused nevertheless: no pod matches.
    pub refusal: Option<ServiceError>,
    /// Why there may be pods that are not known of.
    pub incomplete: Option<String>,
    /// The pods that it would be for, those without a node included, by namespace and name.
    pub pods: Vec<Arc<Pod>>,
    /// What the first [`NODES_MAX`] of their nodes would have to hold, each its full set.
    pub desired: Desired,
    /// The names of the other nodes.
    pub unasked: BTreeSet<String>,
    /// Pods that it misses by one clause, the nearest first: of those that the caller may make strategies for.
    pub near_misses: Vec<PodMiss>,
    /// How many there are.
    pub near_miss_count: usize,
}

/// A pod that fails one clause of a strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodMiss {
    /// The pod.
    pub pod: Arc<Pod>,
    /// The clause, as the user spells it.
    pub clause: String,
    /// What it asks for.
    pub wanted: String,
    /// What the pod has instead.
    pub found: String,
}

impl Service {
    /// Does what [`Service::create_strategy`] does, refusals included, but for the commit: the strategy is stored in a
    /// state of its own, from which intents are derived as ever, and which is forgotten. That no pod matches is not
    /// refused, since the near misses say why.
    pub fn preview_strategy(
        &self,
        grant: &Granted<StrategyCreate>,
        request_id: &str,
        input: StrategyInput,
        allow_empty: bool,
    ) -> Result<Rehearsal, ServiceError> {
        let draft = self.draft(grant, request_id, input)?;
        let view = self.cluster.view();
        let refusal = match demand_pods(&view, &draft.strategy.spec()) {
            Ok(()) => None,
            Err(_) if allow_empty => None,
            Err(none @ (ServiceError::NoPodsMatch | ServiceError::NoSuchNamespace(_))) => Some(none),
            Err(unknown) => return Err(unknown),
        };
        let (state, id) = self.world.rehearse(|state| self.creation(grant, &draft, state))?;
        let strategy = state.strategies.get(&id).map_or(draft.strategy, |stored| stored.value.clone());
        let reach = state.reaches.get(&strategy.creator).and_then(|reach| reach.confine(&strategy));
        let mut pods: Vec<Arc<Pod>> =
            reach.iter().flat_map(|spec| matching(spec, view.pods.iter())).map(Arc::clone).collect();
        pods.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));

        let mut asked: BTreeSet<&str> = pods.iter().filter_map(|pod| pod.node.as_deref()).collect();
        let unasked = asked.iter().nth(NODES_MAX).copied();
        let unasked = unasked.map(|first| asked.split_off(first)).unwrap_or_default();
        // All pods of these nodes: what a node takes of a set depends on the whole of it.
        let on_asked = asked.iter().flat_map(|node| view.pods.on(node)).cloned().collect();
        let desired = Picture::of_pods(&state, on_asked).wanted().unwrap_or_default().bodies();

        let spec = strategy.spec();
        let his = |pod: &&Arc<Pod>| grant.covers_pod(&strategy, &pod.namespace);
        let (near, near_miss_count) = spec.near_misses(view.pods.iter().filter(his), NEAR_MISSES_MAX);
        let near_misses = near.iter().map(PodMiss::from).collect();
        let incomplete = (!view.is_all()).then(|| view.reason.clone().unwrap_or_default());
        let unasked = unasked.into_iter().map(str::to_owned).collect();
        let own = state.strategies.values().filter(|stored| stored.value.creator == grant.uid());
        let own = own.map(|stored| stored.value.id).collect();
        Ok(Rehearsal {
            strategy,
            own,
            limits: self.rules.limits,
            refusal,
            incomplete,
            pods,
            desired,
            unasked,
            near_misses,
            near_miss_count,
        })
    }
}

impl From<&NearMiss<'_>> for PodMiss {
    fn from(miss: &NearMiss<'_>) -> Self {
        let (wanted, found) = miss.clause.wanted_and_found(&miss.pod);
        Self { pod: Arc::clone(&miss.pod), clause: miss.clause.name(), wanted, found }
    }
}

#[cfg(test)]
mod tests;
