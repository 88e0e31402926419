//! Strategies x pods -> intents: a pure function, so that intents are never a truth of their own.
//!
//! A strategy matches a pod when all its selectors do, the pod is in one of its namespaces, and the pod has not
//! ended. Each match is one intent, unless it was excluded or the pod has no node yet.

mod catalogue;
mod clause;

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::id::Id;
use crate::labels::Labels;
use crate::selector::Selector;
use crate::wire::IntentBody;

pub use catalogue::Catalogue;
pub use clause::{Clause, NearMiss};

/// What we need to know of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Unique in the cluster, and over time.
    pub uid: String,
    /// Unique in the namespace.
    pub name: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The node that the pod is scheduled to, once it is.
    pub node: Option<String>,
    /// All labels of the pod.
    pub labels: Labels,
    /// Whether the pod has ended for good (succeeded or failed): nothing matches it any more.
    pub terminal: bool,
}

/// What a user asks for, as far as intents depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategySpec {
    /// The strategy's id.
    pub id: Id,
    /// All must match; none: every pod does.
    pub selectors: Vec<Selector>,
    /// The pod is in one of them. None, or exactly one empty text: every namespace.
    pub namespaces: Vec<String>,
    /// Chooses processes, not pods; see [`IntentBody::command_regex`].
    pub command_regex: String,
    /// Priority as the user wrote it: 0 to 20, 1 the strongest, 0 no preference.
    pub priority: i64,
    /// Time slice in nanoseconds as the user wrote it: 100,000 to 100,000,000, or 0 for the scheduler's default.
    pub execution_time: i64,
}

impl StrategySpec {
    /// Whether the strategy matches the pod, scheduled or not.
    pub fn matches(&self, pod: &Pod) -> bool {
        self.failing(pod).next().is_none()
    }

    /// The namespaces that pods must be in; none: any.
    fn namespace_list(&self) -> Option<&[String]> {
        match self.namespaces.as_slice() {
            [] => None,
            [only] if only.is_empty() => None,
            listed => Some(listed),
        }
    }
}

/// One strategy applied to one pod that has a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedIntent {
    /// Depends on the strategy's id and the pod's uid alone, see [`intent_id`](crate::id::intent_id).
    pub id: Id,
    /// The strategy.
    pub strategy: Arc<StrategySpec>,
    /// The pod; it has a node.
    pub pod: Arc<Pod>,
}

impl DerivedIntent {
    /// The name of the pod's node.
    pub fn node(&self) -> &str {
        self.pod.node.as_deref().unwrap_or_default()
    }

    /// The intent as it travels to the node.
    ///
    /// It is made on demand: a cluster may have millions of intents, and most of the time only their ids and
    /// nodes are of interest.
    pub fn body(&self) -> IntentBody {
        IntentBody {
            pod_name: self.pod.name.clone(),
            pod_id: self.pod.uid.clone(),
            node_id: self.node().to_owned(),
            k8s_namespace: self.pod.namespace.clone(),
            command_regex: self.strategy.command_regex.clone(),
            priority: self.strategy.priority,
            execution_time: self.strategy.execution_time,
            pod_labels: self.pod.labels.clone(),
            strategy_id: Some(self.strategy.id.to_string()),
        }
    }
}

/// The intents that follow from strategies, pods and exclusions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Derived {
    /// Sorted by strategy id, then pod uid.
    pub intents: Vec<DerivedIntent>,
}

/// The intents that follow from `strategies` and `pods`, without those whose ids are `excluded`.
///
/// Strategy ids and pod uids are unique; of equals, the first counts. The order of the input does not matter
/// otherwise. Whoever derives again and again keeps a [`Catalogue`], most of the cost of this is making one.
pub fn derive<S: BuildHasher>(
    strategies: &[Arc<StrategySpec>],
    pods: &[Arc<Pod>],
    excluded: &HashSet<Id, S>,
) -> Derived {
    Catalogue::new(pods).derive(strategies, excluded)
}

/// The pods that one strategy matches, scheduled or not, in the order given.
pub fn matching<'a>(
    strategy: &StrategySpec,
    pods: impl IntoIterator<Item = &'a Arc<Pod>>,
) -> Vec<&'a Arc<Pod>> {
    pods.into_iter().filter(|pod| strategy.matches(pod)).collect()
}
