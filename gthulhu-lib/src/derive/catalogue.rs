//! Pods by what strategies ask for, kept from one derivation to the next.
//!
//! Every pod has a slot, a small number that it keeps while it is known, and every label, label key and namespace in
//! use has the set of its pods' slots. The pods of a strategy are the intersection of a few such sets, so a strategy
//! costs what its requirements are worth, not what the cluster is; and a pod that comes, goes or changes touches only
//! the sets of its own labels.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::{Derived, DerivedIntent, Pod, StrategySpec};
use crate::id::{Id, intent_id};
use crate::selector::Selector;

/// The slots of some pods.
type Slots = RoaringBitmap;

/// The pods of a cluster, ready to be matched by any strategies.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// The pod of each slot; none where the slot is free.
    pods: Vec<Option<Arc<Pod>>>,
    free: Vec<u32>,
    by_uid: HashMap<Box<str>, u32>,
    /// The slots of the list that the catalogue was last [set](Self::set) to, in the list's order.
    listed: Vec<u32>,
    /// Pods that have not ended. Those that have are in none of the sets.
    alive: Slots,
    by_key: HashMap<Box<str>, OfKey>,
    by_namespace: HashMap<Box<str>, Slots>,
}

/// The pods with a label of one key.
#[derive(Debug, Default)]
struct OfKey {
    any: Slots,
    by_value: HashMap<Box<str>, Slots>,
}

impl Catalogue {
    /// A catalogue of these pods; of several with one uid, the first counts.
    pub fn new(pods: &[Arc<Pod>]) -> Self {
        let mut catalogue = Self::default();
        catalogue.set(pods);
        catalogue
    }

    /// Number of pods, ended ones included.
    pub fn len(&self) -> usize {
        self.by_uid.len()
    }

    /// Whether no pod is known.
    pub fn is_empty(&self) -> bool {
        self.by_uid.is_empty()
    }

    /// Makes these the pods, exactly; of several with one uid, the first counts.
    ///
    /// Pods that are the same allocation as before cost next to nothing where they stand at their former place in
    /// the list, and a look-up where they do not.
    pub fn set(&mut self, pods: &[Arc<Pod>]) {
        let former = std::mem::take(&mut self.listed);
        let mut seen = Slots::new();
        let mut listed = Vec::with_capacity(pods.len());
        for (place, pod) in pods.iter().enumerate() {
            let same =
                |&slot: &u32| self.pods[slot as usize].as_ref().is_some_and(|known| Arc::ptr_eq(known, pod));
            let slot = former.get(place).copied().filter(same);
            let slot =
                slot.or_else(|| self.by_uid.get(&*pod.uid).copied().filter(|&slot| seen.contains(slot)));
            let slot = match slot {
                Some(slot) => slot,
                None => self.insert(pod),
            };
            seen.insert(slot);
            listed.push(slot);
        }
        if seen.len() < self.by_uid.len() as u64 {
            let gone = |slot: &u32| !seen.contains(*slot);
            for slot in self.by_uid.values().copied().filter(gone).collect::<Vec<_>>() {
                self.vacate(slot);
            }
        }
        self.listed = listed;
    }

    /// Adds a pod, or replaces the one with its uid. Gives the pod's slot.
    fn insert(&mut self, pod: &Arc<Pod>) -> u32 {
        let slot = match self.by_uid.get(&*pod.uid) {
            Some(&slot) => {
                let Some(known) = self.pods[slot as usize].replace(Arc::clone(pod)) else {
                    unreachable!("a slot that a uid leads to is taken")
                };
                if Arc::ptr_eq(&known, pod) || same_sets(&known, pod) {
                    return slot;
                }
                self.unlist(slot, &known);
                slot
            }
            None => self.occupy(pod),
        };
        self.list(slot, pod);
        slot
    }

    /// Adds a pod, or replaces the one with its uid.
    pub fn put(&mut self, pod: &Arc<Pod>) {
        self.insert(pod);
    }

    /// Forgets the pod with this uid.
    pub fn remove(&mut self, uid: &str) {
        if let Some(&slot) = self.by_uid.get(uid) {
            self.vacate(slot);
        }
    }

    /// The intents that follow from `strategies` and these pods, without those whose ids are `excluded`: the same as
    /// [`derive`](super::derive()) gives for the same pods.
    pub fn derive<S: BuildHasher>(
        &self,
        strategies: &[Arc<StrategySpec>],
        excluded: &HashSet<Id, S>,
    ) -> Derived {
        let mut strategies: Vec<&Arc<StrategySpec>> = strategies.iter().collect();
        strategies.sort_by_key(|strategy| strategy.id);
        strategies.dedup_by_key(|strategy| strategy.id);
        let mut intents = Vec::new();
        let mut found = Vec::new();
        for strategy in strategies {
            // Pods are all over the memory. Looking at each of them first, and at nothing else, lets those looks overlap.
            found.extend(self.matches(strategy).iter().filter_map(|slot| {
                let pod = self.pods[slot as usize].as_ref().filter(|pod| pod.node.is_some())?;
                Some((uid_start(&pod.uid), pod))
            }));
            found.sort_unstable_by(|(start, pod), (other_start, other)| {
                start.cmp(other_start).then_with(|| pod.uid.cmp(&other.uid))
            });
            for (_, pod) in found.drain(..) {
                let id = intent_id(strategy.id, &pod.uid);
                if excluded.is_empty() || !excluded.contains(&id) {
                    intents.push(DerivedIntent { id, strategy: Arc::clone(strategy), pod: Arc::clone(pod) });
                }
            }
        }
        Derived { intents }
    }

    /// The pods that the strategy matches, scheduled or not.
    fn matches(&self, strategy: &StrategySpec) -> Cow<'_, Slots> {
        let nothing = || Cow::Owned(Slots::new());
        let mut required = Vec::with_capacity(strategy.selectors.len() + 1);
        for selector in strategy.selectors.iter().filter(|selector| !selector.key.is_empty()) {
            let Some(slots) = self.having(selector) else { return nothing() };
            required.push(Cow::Borrowed(slots));
        }
        if let Some(names) = strategy.namespace_list() {
            let mut known = names.iter().filter_map(|name| self.by_namespace.get(&**name));
            let Some(first) = known.next() else { return nothing() };
            required.push(known.fold(Cow::Borrowed(first), |all, slots| Cow::Owned(&*all | slots)));
        }
        // The smallest first: what follows can only become smaller.
        required.sort_by_cached_key(|slots| slots.len());
        let mut required = required.into_iter();
        let first = required.next().unwrap_or(Cow::Borrowed(&self.alive));
        required.fold(first, |found, slots| Cow::Owned(&*found & &*slots))
    }

    fn having(&self, selector: &Selector) -> Option<&Slots> {
        let of_key = self.by_key.get(&*selector.key)?;
        match &*selector.value {
            "" => Some(&of_key.any),
            value => of_key.by_value.get(value),
        }
    }

    /// Gives a pod of a new uid a slot.
    fn occupy(&mut self, pod: &Arc<Pod>) -> u32 {
        let slot = if let Some(slot) = self.free.pop() {
            self.pods[slot as usize] = Some(Arc::clone(pod));
            slot
        } else {
            self.pods.push(Some(Arc::clone(pod)));
            u32::try_from(self.pods.len() - 1).expect("2^32 pods do not fit into memory")
        };
        self.by_uid.insert(pod.uid.as_str().into(), slot);
        slot
    }

    /// Forgets the pod of a slot.
    fn vacate(&mut self, slot: u32) {
        if let Some(pod) = self.pods[slot as usize].take() {
            self.unlist(slot, &pod);
            self.by_uid.remove(&*pod.uid);
            self.free.push(slot);
        }
    }

    /// Puts a slot into the sets of its pod.
    fn list(&mut self, slot: u32, pod: &Pod) {
        if pod.terminal {
            return;
        }
        self.alive.insert(slot);
        known(&mut self.by_namespace, &pod.namespace).insert(slot);
        for (key, value) in &pod.labels {
            let of_key = known(&mut self.by_key, key);
            of_key.any.insert(slot);
            known(&mut of_key.by_value, value).insert(slot);
        }
    }

    /// Takes a slot out of the sets of its pod, and forgets the sets that are left empty.
    fn unlist(&mut self, slot: u32, pod: &Pod) {
        if !self.alive.remove(slot) {
            return;
        }
        take_out(&mut self.by_namespace, &pod.namespace, slot);
        for (key, value) in &pod.labels {
            let Some(of_key) = self.by_key.get_mut(&**key) else { continue };
            of_key.any.remove(slot);
            take_out(&mut of_key.by_value, value, slot);
            if of_key.any.is_empty() {
                self.by_key.remove(&**key);
            }
        }
    }
}

/// Whether two pods of one uid are in the same sets.
fn same_sets(one: &Pod, other: &Pod) -> bool {
    one.terminal == other.terminal && one.namespace == other.namespace && one.labels == other.labels
}

/// The first sixteen bytes of a uid as a number: numbers that differ are in the order of their uids.
fn uid_start(uid: &str) -> u128 {
    let mut start = [0; 16];
    let length = uid.len().min(start.len());
    start[..length].copy_from_slice(&uid.as_bytes()[..length]);
    u128::from_be_bytes(start)
}

/// What the map holds for a name; new if needed.
fn known<'a, T: Default>(map: &'a mut HashMap<Box<str>, T>, name: &str) -> &'a mut T {
    // Most names are known, and only a new one needs a copy.
    if !map.contains_key(name) {
        map.insert(name.into(), T::default());
    }
    map.get_mut(name).expect("it was put there if it was missing")
}

fn take_out(map: &mut HashMap<Box<str>, Slots>, name: &str, slot: u32) {
    if let Some(slots) = map.get_mut(name) {
        slots.remove(slot);
        if slots.is_empty() {
            map.remove(name);
        }
    }
}
