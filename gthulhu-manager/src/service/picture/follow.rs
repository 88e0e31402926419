//! From one picture to the next, at the price of the difference.
//!
//! Pods that changed are found by identity, node by node, and are held against all strategies; strategies that changed
//! are held against all other pods. What is left of a node's intents is kept, and a node whose intents are the same
//! keeps them as they are, so that nobody downstream looks at it again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use gthulhu_lib::derive::{Catalogue, DerivedIntent, Pod, StrategySpec};
use gthulhu_lib::id::Id;

use super::Picture;
use crate::cluster::{NodePods, Pods};
use crate::differ::Differs;
use crate::domain::Strategy;
use crate::service::ports::NodeIntents;
use crate::service::state::{State, Stored};

type Specs = Arc<BTreeMap<Id, Arc<StrategySpec>>>;
type Nodes = Arc<BTreeMap<Arc<str>, NodeIntents>>;

/// The order of a node's intents, and of all.
pub(super) fn order(intent: &DerivedIntent) -> (Id, &str) {
    (intent.strategy.id, &intent.pod.uid)
}

/// What strategies ask for within the reach of their creators. One that asks for the same as before is the same
/// allocation.
pub(super) fn specs(state: &State, before: Option<&Picture>) -> Specs {
    if let Some(before) = before
        && Arc::ptr_eq(&before.strategies, &state.strategies)
        && Arc::ptr_eq(&before.reaches, &state.reaches)
    {
        return Arc::clone(&before.specs);
    }
    let confined = |(id, stored): (&Id, &Arc<Stored<Strategy>>)| {
        let strategy = &stored.value;
        let spec = state.reaches.get(&strategy.creator)?.confine(strategy)?;
        let known = before.and_then(|before| before.specs.get(id)).filter(|known| ***known == spec);
        Some((*id, known.map_or_else(|| Arc::new(spec), Arc::clone)))
    };
    Arc::new(state.strategies.iter().filter_map(confined).collect())
}

/// The intents of all nodes.
pub(super) fn nodes(
    state: &State,
    specs: &Specs,
    pods: &Pods,
    before: Option<&Picture>,
    catalogue: &mut Catalogue,
) -> Nodes {
    let excluded: HashSet<Id> = state.exclusions.keys().copied().collect();
    let Some(before) = before else {
        pods.iter().for_each(|pod| catalogue.put(pod));
        return everything(catalogue, specs, &excluded);
    };
    let moved = MovedPods::between(&before.view.pods, pods);
    moved.gone.iter().for_each(|uid| catalogue.remove(uid));
    moved.come.iter().for_each(|pod| catalogue.put(pod));
    let asked_anew = asked_anew(state, specs, before);
    // To hold very many pods against all strategies one needs an index of them, and there is one of all pods.
    if moved.come.len() > pods.len() / 4 {
        return everything(catalogue, specs, &excluded);
    }

    let mut added: HashMap<&str, Vec<DerivedIntent>> = HashMap::new();
    let all: Vec<_> = specs.values().cloned().collect();
    let of_pods = Catalogue::new(&moved.come).derive(&all, &excluded).intents;
    let changed: Vec<_> = asked_anew.iter().filter_map(|id| specs.get(id)).cloned().collect();
    let mut of_strategies = catalogue.derive(&changed, &excluded).intents;
    of_strategies.retain(|intent| !moved.uids.contains(intent.pod.uid.as_str()));
    for intent in of_pods.iter().chain(&of_strategies) {
        added.entry(intent.node()).or_default().push(intent.clone());
    }

    let mut nodes = Arc::clone(&before.nodes);
    let visited: BTreeSet<&str> = if asked_anew.is_empty() {
        moved.nodes.iter().map(|node| &**node).collect()
    } else {
        before.nodes.keys().map(|node| &**node).chain(added.keys().copied()).collect()
    };
    for node in visited {
        let known = before.nodes.get(node);
        let stays = |intent: &&DerivedIntent| {
            !asked_anew.contains(&intent.strategy.id) && !moved.uids.contains(intent.pod.uid.as_str())
        };
        let mut intents: Vec<_> =
            known.iter().flat_map(|known| known.iter()).filter(stays).cloned().collect();
        intents.extend(added.remove(node).into_iter().flatten());
        intents.sort_unstable_by(|one, other| order(one).cmp(&order(other)));
        put(&mut nodes, node, known, intents);
    }
    nodes
}

/// The intents of all nodes, from nothing.
fn everything(catalogue: &Catalogue, specs: &Specs, excluded: &HashSet<Id>) -> Nodes {
    let all: Vec<_> = specs.values().cloned().collect();
    let mut nodes: HashMap<String, Vec<DerivedIntent>> = HashMap::new();
    for intent in catalogue.derive(&all, excluded).intents {
        match nodes.get_mut(intent.node()) {
            Some(intents) => intents.push(intent),
            None => drop(nodes.insert(intent.node().to_owned(), vec![intent])),
        }
    }
    Arc::new(nodes.into_iter().map(|(node, intents)| (node.into(), intents.into())).collect())
}

/// Notes a node's intents, copying the map only when they are others than before.
fn put(nodes: &mut Nodes, node: &str, known: Option<&NodeIntents>, intents: Vec<DerivedIntent>) {
    let same = |(one, other): (&DerivedIntent, &DerivedIntent)| {
        Arc::ptr_eq(&one.strategy, &other.strategy) && Arc::ptr_eq(&one.pod, &other.pod)
    };
    match known {
        Some(known) if known.len() == intents.len() && known.iter().zip(&intents).all(same) => {}
        Some(_) if intents.is_empty() => drop(Arc::make_mut(nodes).remove(node)),
        None if intents.is_empty() => {}
        _ => drop(Arc::make_mut(nodes).insert(node.into(), intents.into())),
    }
}

/// The strategies that ask for something else than before, are gone, or have other exclusions.
fn asked_anew(state: &State, specs: &Specs, before: &Picture) -> HashSet<Id> {
    let mut anew = HashSet::new();
    if !Arc::ptr_eq(specs, &before.specs) {
        let same = |known: &Arc<StrategySpec>, id: &Id, map: &Specs| {
            map.get(id).is_some_and(|other| Arc::ptr_eq(known, other))
        };
        anew.extend(specs.iter().filter(|(id, spec)| !same(spec, id, &before.specs)).map(|(id, _)| *id));
        anew.extend(before.specs.iter().filter(|(id, spec)| !same(spec, id, specs)).map(|(id, _)| *id));
    }
    if !Arc::ptr_eq(&state.exclusions, &before.exclusions) {
        let (now, then) = (&state.exclusions, &before.exclusions);
        let moved = |(id, _): &(&Id, _)| now.contains_key(*id) != then.contains_key(*id);
        anew.extend(now.iter().chain(then.iter()).filter(moved).map(|(_, stored)| stored.value.strategy));
    }
    anew
}

/// What became of the pods.
#[derive(Default)]
struct MovedPods<'a> {
    /// The nodes on which a pod came, went or changed.
    nodes: Vec<Arc<str>>,
    /// The pods that are new or not as they were.
    come: Vec<Arc<Pod>>,
    /// The uids that are no more where they were.
    gone: Vec<&'a str>,
    /// The uids of both.
    uids: HashSet<&'a str>,
}

impl<'a> MovedPods<'a> {
    fn between(before: &'a Pods, now: &'a Pods) -> Self {
        let mut moved = Self::default();
        now.differing(before).for_each(|node| moved.compare(&node));
        moved
    }

    /// Takes in one node as it was and as it is.
    fn compare(&mut self, node: &Differs<'a, Vec<Arc<Pod>>>) {
        let pods = |of: Option<&'a NodePods>| of.map_or(&[] as &'a [Arc<Pod>], |pods| pods);
        let find = |list: &'a [Arc<Pod>], uid: &str| {
            list.binary_search_by(|pod| pod.uid.as_str().cmp(uid)).ok().map(|place| &list[place])
        };
        let (then, now) = (pods(node.before), pods(node.now));
        for pod in now {
            if !find(then, &pod.uid).is_some_and(|known| Arc::ptr_eq(known, pod)) {
                self.come.push(Arc::clone(pod));
                self.uids.insert(&pod.uid);
            }
        }
        for pod in then.iter().filter(|pod| find(now, &pod.uid).is_none()) {
            self.gone.push(&pod.uid);
            self.uids.insert(&pod.uid);
        }
        self.nodes.push(Arc::clone(node.node));
    }
}
