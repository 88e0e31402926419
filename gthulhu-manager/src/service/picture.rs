//! The intents that follow from the newest strategies, exclusions and pods, computed once per change. Each strategy
//! applies within the reach of its creator.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use gthulhu_lib::derive::{Catalogue, Derived, DerivedIntent, Pod, StrategySpec, matching};
use gthulhu_lib::id::Id;

use super::ports::Desired;
use super::reach::Reaches;
use super::state::{Shelf, State, Stored};
use super::{Service, ServiceError};
use crate::cluster::ClusterView;
use crate::domain::{Exclusion, Strategy};

/// Intents, and what they follow from.
pub(super) struct Picture {
    view: Arc<ClusterView>,
    strategies: Shelf<Id, Strategy>,
    exclusions: Shelf<Id, Exclusion>,
    reaches: Reaches,
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
        if let Some(picture) = self.known(state, &view) {
            return picture;
        }
        // Not under the lock of `last`: those for whom the known picture is good enough do not wait for this one.
        let mut pods = self.pods.lock().unwrap_or_else(|poisoned| {
            // A panic may have left the catalogue half changed.
            self.pods.clear_poison();
            let mut guard = poisoned.into_inner();
            *guard = Catalogue::default();
            guard
        });
        // Of all who ask after a change the first makes the picture, and the others waited for it just now.
        if let Some(picture) = self.known(state, &view) {
            return picture;
        }
        let picture = Arc::new(Picture::new(state, view, &mut pods));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&picture));
        picture
    }

    /// The picture made last, if it is the one of `state` and `view`.
    fn known(&self, state: &State, view: &Arc<ClusterView>) -> Option<Arc<Picture>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().filter(|picture| picture.shows(state, view))
    }
}

impl Picture {
    fn new(state: &State, view: Arc<ClusterView>, pods: &mut Catalogue) -> Self {
        let confined = |stored: &Arc<Stored<Strategy>>| {
            let strategy = &stored.value;
            state.reaches.get(&strategy.creator)?.confine(strategy).map(Arc::new)
        };
        let specs: Vec<_> = state.strategies.values().filter_map(confined).collect();
        let excluded: HashSet<_> = state.exclusions.keys().copied().collect();
        pods.set(&view.pods);
        let derived = pods.derive(&specs, &excluded);
        let (strategies, exclusions) = (Arc::clone(&state.strategies), Arc::clone(&state.exclusions));
        let reaches = Arc::clone(&state.reaches);
        Self { view, strategies, exclusions, reaches, derived }
    }

    /// What follows from `state` for these pods alone, as it would be if they were all that is known.
    pub(super) fn of_pods(state: &State, pods: Vec<Arc<Pod>>) -> Self {
        let view = ClusterView { pods, complete: true, ..ClusterView::default() };
        Self::new(state, Arc::new(view), &mut Catalogue::default())
    }

    /// Would a new picture be the same? Shelves and views are replaced when they change, so identity is enough.
    fn shows(&self, state: &State, view: &Arc<ClusterView>) -> bool {
        Arc::ptr_eq(&self.view, view)
            && Arc::ptr_eq(&self.strategies, &state.strategies)
            && Arc::ptr_eq(&self.exclusions, &state.exclusions)
            && Arc::ptr_eq(&self.reaches, &state.reaches)
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

/// Demands that the strategy matches some pod; the error tells "no such pods" from "not known yet".
pub(super) fn demand_pods(view: &ClusterView, strategy: &StrategySpec) -> Result<(), ServiceError> {
    match matching(strategy, &view.pods).is_empty() {
        false => Ok(()),
        true if view.complete => Err(ServiceError::NoPodsMatch),
        true => Err(not_ready(view)),
    }
}

/// Why nothing can be concluded from what the view does not show.
pub(super) fn not_ready(view: &ClusterView) -> ServiceError {
    ServiceError::ClusterNotReady(view.reason.clone().unwrap_or_else(|| "pods are still being read".into()))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;
    use crate::service::testbed::{Bed, app};

    #[test]
    fn all_who_ask_after_a_change_share_one_picture() {
        const ASKING: usize = 8;
        let bed = Bed::new();
        for _ in 0..20 {
            bed.create(app("web")).unwrap();
            let together = Barrier::new(ASKING);
            let ask = || {
                together.wait();
                bed.service.picture()
            };
            let pictures: Vec<_> = thread::scope(|scope| {
                let asking: Vec<_> = (0..ASKING).map(|_| scope.spawn(ask)).collect();
                asking.into_iter().map(|asked| asked.join().unwrap()).collect()
            });
            assert!(pictures.iter().all(|picture| Arc::ptr_eq(picture, &pictures[0])));
        }
    }
}
