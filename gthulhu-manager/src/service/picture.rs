//! The intents that follow from the newest strategies, exclusions and pods, computed once per change. Each strategy
//! applies within the reach of its creator.
//!
//! A picture is made from the one before it, and costs what changed: see [`follow`].

mod follow;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gthulhu_lib::derive::{Catalogue, DerivedIntent, StrategySpec};
use gthulhu_lib::id::Id;

use super::ports::{Desired, NodeIntents, Wanted};
use super::reach::Reaches;
use super::state::{Shelf, State};
use super::{Service, ServiceError};
use crate::cluster::{ClusterView, Pods};
use crate::domain::{Exclusion, Strategy};

/// Intents, and what they follow from.
pub(super) struct Picture {
    view: Arc<ClusterView>,
    strategies: Shelf<Id, Strategy>,
    exclusions: Shelf<Id, Exclusion>,
    reaches: Reaches,
    /// What the strategies ask for within reach.
    specs: Arc<BTreeMap<Id, Arc<StrategySpec>>>,
    /// Of each node that has any, the intents, sorted by strategy id, then pod uid.
    nodes: Arc<BTreeMap<Arc<str>, NodeIntents>>,
    /// The same of all nodes in one, made when somebody asks.
    all: OnceLock<Vec<DerivedIntent>>,
}

/// The picture made last, and what makes the next one cheap.
#[derive(Default)]
pub(super) struct Pictures {
    last: Mutex<Option<Arc<Picture>>>,
    /// The pods of `last`.
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
            // A panic may have left the catalogue half changed: both begin anew.
            self.pods.clear_poison();
            *self.last() = None;
            let mut guard = poisoned.into_inner();
            *guard = Catalogue::default();
            guard
        });
        // Of all who ask after a change the first makes the picture, and the others waited for it just now.
        if let Some(picture) = self.known(state, &view) {
            return picture;
        }
        let last = self.last().clone();
        let picture = Arc::new(Picture::new(state, view, last.as_deref(), &mut pods));
        *self.last() = Some(Arc::clone(&picture));
        picture
    }

    /// The picture made last, if it is the one of `state` and `view`.
    fn known(&self, state: &State, view: &Arc<ClusterView>) -> Option<Arc<Picture>> {
        self.last().clone().filter(|picture| picture.shows(state, view))
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Arc<Picture>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Picture {
    /// `catalogue` holds the pods of `before`, and those of `view` afterwards.
    fn new(
        state: &State,
        view: Arc<ClusterView>,
        before: Option<&Picture>,
        catalogue: &mut Catalogue,
    ) -> Self {
        let specs = follow::specs(state, before);
        let nodes = follow::nodes(state, &specs, &view.pods, before, catalogue);
        let (strategies, exclusions) = (Arc::clone(&state.strategies), Arc::clone(&state.exclusions));
        let reaches = Arc::clone(&state.reaches);
        Self { view, strategies, exclusions, reaches, specs, nodes, all: OnceLock::new() }
    }

    /// What follows from `state` for these pods alone, as it would be if they were all that is known.
    pub(super) fn of_pods(state: &State, pods: Pods) -> Self {
        let view = ClusterView { pods, complete: true, ..ClusterView::default() };
        Self::new(state, Arc::new(view), None, &mut Catalogue::default())
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
        self.all.get_or_init(|| {
            let mut all: Vec<_> = self.nodes.values().flat_map(|intents| intents.iter().cloned()).collect();
            all.sort_unstable_by(|one, other| follow::order(one).cmp(&follow::order(other)));
            all
        })
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
    pub(super) fn pods(&self) -> &Pods {
        &self.view.pods
    }

    /// What each node should hold; `None` while pods may be missing from the view.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        let (strategies, nodes) = (Arc::clone(&self.specs), Arc::clone(&self.nodes));
        self.view.complete.then_some(Wanted { strategies, nodes })
    }
}

impl Wanted {
    /// Each node's full set as it travels.
    pub fn bodies(&self) -> Desired {
        let bodies = |intents: &NodeIntents| intents.iter().map(DerivedIntent::body).collect();
        let nodes = self.nodes.iter().map(|(node, intents)| (node.to_string(), bodies(intents)));
        nodes.collect::<HashMap<_, _>>()
    }
}

/// Demands that the strategy matches some pod; the error tells "no such pods" from "not known yet".
pub(super) fn demand_pods(view: &ClusterView, strategy: &StrategySpec) -> Result<(), ServiceError> {
    if view.pods.iter().any(|pod| strategy.matches(pod)) {
        Ok(())
    } else if view.is_all() {
        Err(no_such_namespace(view, strategy).unwrap_or(ServiceError::NoPodsMatch))
    } else {
        Err(not_ready(view))
    }
}

/// Names a namespace that the strategy is for and that does not exist, where that is known.
fn no_such_namespace(view: &ClusterView, strategy: &StrategySpec) -> Option<ServiceError> {
    let known = view.namespaces.as_ref()?;
    let missing = strategy.namespaces.iter().find(|name| !name.is_empty() && !known.contains(*name))?;
    Some(ServiceError::NoSuchNamespace(missing.clone()))
}

/// Why nothing can be concluded from what the view does not show.
pub(super) fn not_ready(view: &ClusterView) -> ServiceError {
    ServiceError::ClusterNotReady(view.reason.clone().unwrap_or_else(|| "pods are still being read".into()))
}

#[cfg(test)]
mod tests;
