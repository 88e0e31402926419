//! The intents that follow from the newest strategies, exclusions and pods, computed once per change.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use gthulhu_lib::derive::{Catalogue, Derived, DerivedIntent, Pod, StrategySpec, matching};
use gthulhu_lib::id::Id;

use super::ports::Desired;
use super::state::{Shelf, State};
use super::{Service, ServiceError};
use crate::cluster::ClusterView;
use crate::domain::{Exclusion, Strategy};

/// Intents, and what they follow from.
pub(super) struct Picture {
    view: Arc<ClusterView>,
    strategies: Shelf<Id, Strategy>,
    exclusions: Shelf<Id, Exclusion>,
    derived: Derived,
}

/// The picture made last, and what makes the next one cheap.
#[derive(Default)]
pub(super) struct Pictures {
    last: Mutex<Option<Arc<Picture>>>,
    pods: Mutex<Catalogue>,
}

impl Service {
    /// The picture of this moment.
    pub(super) fn picture(&self) -> Arc<Picture> {
        self.pictures.of(&self.world.state(), self.cluster.view())
    }
}

impl Pictures {
    fn of(&self, state: &State, view: Arc<ClusterView>) -> Arc<Picture> {
        let known = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(picture) = known.filter(|picture| picture.shows(state, &view)) {
            return picture;
        }
        // Not under the lock of `last`: those for whom the known picture is good enough do not wait for this one.
        let picture = Arc::new(Picture::new(state, view, &self.pods));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&picture));
        picture
    }
}

impl Picture {
    fn new(state: &State, view: Arc<ClusterView>, pods: &Mutex<Catalogue>) -> Self {
        let specs: Vec<_> = state.strategies.values().map(|s| Arc::new(s.value.spec())).collect();
        let excluded: HashSet<_> = state.exclusions.keys().copied().collect();
        let mut pods = pods.lock().unwrap_or_else(|poisoned| {
            // A panic may have left the catalogue half changed.
            pods.clear_poison();
            let mut guard = poisoned.into_inner();
            *guard = Catalogue::default();
            guard
        });
        pods.set(&view.pods);
        let derived = pods.derive(&specs, &excluded);
        drop(pods);
        let (strategies, exclusions) = (Arc::clone(&state.strategies), Arc::clone(&state.exclusions));
        Self { view, strategies, exclusions, derived }
    }

    /// Would a new picture be the same? Shelves and views are replaced when they change, so identity is enough.
    fn shows(&self, state: &State, view: &Arc<ClusterView>) -> bool {
        Arc::ptr_eq(&self.view, view)
            && Arc::ptr_eq(&self.strategies, &state.strategies)
            && Arc::ptr_eq(&self.exclusions, &state.exclusions)
    }

    /// All intents, sorted by strategy id, then pod uid.
    pub(super) fn intents(&self) -> &[DerivedIntent] {
        &self.derived.intents
    }

    /// The intents of one strategy.
    pub(super) fn intents_of(&self, strategy: Id) -> &[DerivedIntent] {
        let all = self.intents();
        let start = all.partition_point(|intent| intent.strategy.id < strategy);
        let length = all[start..].partition_point(|intent| intent.strategy.id == strategy);
        &all[start..start + length]
    }

    /// The strategies that the intents follow from.
    pub(super) fn strategies(&self) -> &Shelf<Id, Strategy> {
        &self.strategies
    }

    /// The pods of the cluster, as far as they are known.
    pub(super) fn pods(&self) -> &[Arc<Pod>] {
        &self.view.pods
    }

    /// Demands that the strategy matches some pod; the error tells "no such pods" from "not known yet".
    pub(super) fn demand_pods(&self, strategy: &StrategySpec) -> Result<(), ServiceError> {
        match matching(strategy, &self.view.pods).is_empty() {
            false => Ok(()),
            true if self.view.complete => Err(ServiceError::NoPodsMatch),
            true => Err(not_ready(&self.view)),
        }
    }

    /// Each node's full set; `None` while pods may be missing from the view.
    pub(super) fn desired(&self) -> Option<Desired> {
        self.view.complete.then(|| {
            let mut desired = Desired::new();
            for intent in self.intents() {
                desired.entry(intent.node().to_string()).or_default().push(intent.body());
            }
            desired
        })
    }
}

/// Why nothing can be concluded from what the view does not show.
pub(super) fn not_ready(view: &ClusterView) -> ServiceError {
    ServiceError::ClusterNotReady(view.reason.clone().unwrap_or_else(|| "pods are still being read".into()))
}
