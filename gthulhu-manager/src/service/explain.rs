//! Why a pod has the strategies that it has, and why it has not others.

use std::slice;
use std::sync::Arc;

use gthulhu_lib::derive::{DerivedIntent, Pod};
use gthulhu_lib::explain::Explanation;
use gthulhu_lib::id::{Id, intent_id};
use gthulhu_lib::wire::IntentBody;

use super::access::{Granted, PodPidRead, Whose};
use super::picture::{Picture, not_ready};
use super::state::State;
use super::{Service, ServiceError};
use crate::domain::Strategy;

/// How many strategies are told of a pod: that apply, and that do not.
const STRATEGIES_MAX: usize = 256;

/// A pod, and the strategies that are for it or nearly so.
#[derive(Debug)]
pub struct PodStory {
    /// The pod.
    pub pod: Arc<Pod>,
    /// The strategies that have an intent for it, by id.
    pub strategies: Vec<StrategyOnPod>,
    /// The caller's strategies that miss it by one clause; for an administrator, everybody's.
    pub misses: Vec<StrategyMiss>,
    /// How many of both kinds are not listed.
    pub omitted: usize,
}

/// A strategy with an intent for the pod in question.
#[derive(Debug)]
pub struct StrategyOnPod {
    /// The strategy.
    pub strategy: Id,
    /// Whether it is the caller's.
    pub own: bool,
    /// Whether the caller may read it as it was written.
    pub readable: bool,
    /// What the pod's node should hold.
    pub body: IntentBody,
    /// Whether the node holds exactly this.
    pub accepted: bool,
    /// Why not, when the node said why.
    pub last_error: Option<String>,
}

/// A strategy that the pod in question fails by one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyMiss {
    /// The strategy.
    pub strategy: Id,
    /// The clause.
    pub clause: String,
    /// What it asks for.
    pub wanted: String,
    /// What there is instead.
    pub found: String,
}

impl Service {
    /// The story of the pod of this name; of several, of one that has not ended. One beyond the caller's scope is not
    /// found, like one that is not there.
    pub fn pod_story(
        &self,
        grant: &Granted<PodPidRead>,
        namespace: &str,
        name: &str,
    ) -> Result<PodStory, ServiceError> {
        let view = self.cluster.view();
        let named = view.pods.iter().filter(|pod| pod.namespace == namespace && pod.name == name);
        let pod = named.min_by_key(|pod| pod.terminal).filter(|pod| sees(grant, pod));
        let missing = || if view.is_all() { ServiceError::NoSuchPod } else { not_ready(&view) };
        pod.map(|pod| self.story(grant, pod)).ok_or_else(missing)
    }

    /// What the caller may know of an answer to "why?", and the story of its pod, if that is known. Of a process beyond
    /// his scope he hears that there is none; what others wrote he does not read.
    pub fn seen_explanation(
        &self,
        grant: &Granted<PodPidRead>,
        told: Explanation,
    ) -> (Option<Explanation>, Option<PodStory>) {
        let uid = told.process.as_ref().map(|process| process.pod_id.clone());
        let view = self.cluster.view();
        let pod = uid.and_then(|uid| view.pods.iter().find(|pod| pod.uid.eq_ignore_ascii_case(&uid)));
        let pod = pod.filter(|pod| sees(grant, pod));
        if pod.is_none() && !grant.covers("", None) {
            return (None, None);
        }
        let state = self.world.state();
        let mut told = told;
        for intent in &mut told.intents {
            let strategy = intent.strategy_id.and_then(|id| state.strategies.get(&id));
            if !strategy.is_some_and(|stored| reads(grant, &state, &stored.value))
                && !administers(grant, &state)
            {
                intent.command_regex.clear();
            }
        }
        (Some(told), pod.map(|pod| self.story(grant, pod)))
    }

    fn story(&self, grant: &Granted<PodPidRead>, pod: &Arc<Pod>) -> PodStory {
        let state = self.world.state();
        let picture = Picture::of_pods(&state, [Arc::clone(pod)].into_iter().collect());
        let strategies: Vec<_> =
            picture.intents().iter().map(|intent| self.on_pod(grant, &state, intent)).collect();
        let others =
            state.strategies.values().map(|stored| &stored.value).filter(|strategy| {
                picture.intents_of(strategy.id).is_empty() && reads(grant, &state, strategy)
            });
        let misses: Vec<_> = others.filter_map(|strategy| miss(&state, strategy, pod)).collect();
        let beyond = |listed: usize| listed.saturating_sub(STRATEGIES_MAX);
        let omitted = beyond(strategies.len()) + beyond(misses.len());
        let (mut strategies, mut misses) = (strategies, misses);
        strategies.truncate(STRATEGIES_MAX);
        misses.truncate(STRATEGIES_MAX);
        PodStory { pod: Arc::clone(pod), strategies, misses, omitted }
    }

    fn on_pod(&self, grant: &Granted<PodPidRead>, state: &State, intent: &DerivedIntent) -> StrategyOnPod {
        let (node, strategy) = (intent.node(), intent.strategy.id);
        let creator = state.strategies.get(&strategy).map(|stored| stored.value.creator);
        let own = creator == Some(grant.uid());
        let readable = own || administers(grant, state);
        let accepted = self.accepted(intent);
        let last_error = if accepted { None } else { self.node_states.last_error(node) };
        StrategyOnPod { strategy, own, readable, body: intent.body(), accepted, last_error }
    }
}

/// Is the pod within the scope?
fn sees(grant: &Granted<PodPidRead>, pod: &Pod) -> bool {
    grant.covers("", Some(slice::from_ref(&pod.namespace)))
}

/// May the caller read what the strategy's creator wrote? His own, and as an administrator everything.
fn reads(grant: &Granted<PodPidRead>, state: &State, strategy: &Strategy) -> bool {
    strategy.creator == grant.uid() || administers(grant, state)
}

fn administers(grant: &Granted<PodPidRead>, state: &State) -> bool {
    Whose::Everyones.check(grant, state).is_ok()
}

/// The one clause that keeps a strategy without an intent for the pod from having one.
fn miss(state: &State, strategy: &Strategy, pod: &Pod) -> Option<StrategyMiss> {
    let spec = strategy.spec();
    let told = |clause: &str, wanted: &str, found: &str| {
        let (clause, wanted, found) = (clause.to_owned(), wanted.to_owned(), found.to_owned());
        Some(StrategyMiss { strategy: strategy.id, clause, wanted, found })
    };
    let mut failing = spec.failing(pod);
    match (failing.next(), failing.next()) {
        (Some(clause), None) => {
            let (wanted, found) = clause.wanted_and_found(pod);
            told(&clause.name(), &wanted, &found)
        }
        (Some(_), Some(_)) => None,
        (None, _) if pod.node.is_none() => told("nodeName", "a pod that has a node", "a pod without one"),
        (None, _) if state.exclusions.contains_key(&intent_id(strategy.id, &pod.uid)) => {
            told("exclusion", "an intent that was not deleted", "one that was")
        }
        (None, _) => told("scope", "a namespace for which its creator may make strategies", &pod.namespace),
    }
}

#[cfg(test)]
mod tests;
