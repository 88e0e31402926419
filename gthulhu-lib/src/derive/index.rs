//! Which pods a strategy matches, for many strategies and many pods at once.
//!
//! Each selector in use is a term with a posting: the pods that satisfy it. A strategy walks its smallest posting
//! and asks each pod there for the other terms, so its cost is that of its rarest requirement, not of the
//! cluster. Pods are known by their position in the list given, and postings are in that order.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Pod, StrategySpec};
use crate::selector::Terms;

/// The number of every namespace that no strategy names.
const UNNAMED: u32 = u32::MAX;

/// What one strategy asks of a pod, in numbers that its index understands.
pub(super) struct Wanted {
    /// All of these terms, each once.
    terms: Vec<u32>,
    /// One of these namespaces, each once; none: any.
    namespaces: Option<Vec<u32>>,
}

/// The terms and namespaces that a number of strategies ask for.
#[derive(Default)]
pub(super) struct Vocabulary<'a> {
    terms: Terms<'a>,
    namespaces: HashMap<&'a str, u32>,
}

impl<'a> Vocabulary<'a> {
    /// What `strategy` asks for; new words are learnt.
    pub(super) fn learn(&mut self, strategy: &'a StrategySpec) -> Wanted {
        let terms = strategy.selectors.iter().filter_map(|selector| self.terms.intern(selector)).collect();
        let namespaces = strategy.namespace_list().map(|names| {
            let numbers = names.iter().map(|name| {
                let next = u32::try_from(self.namespaces.len()).expect("2^32 names do not fit into memory");
                *self.namespaces.entry(name).or_insert(next)
            });
            each_once(numbers.collect())
        });
        Wanted { terms: each_once(terms), namespaces }
    }
}

fn each_once(mut numbers: Vec<u32>) -> Vec<u32> {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Pods by what strategies ask for.
pub(super) struct Index {
    /// The pods of each term.
    by_term: Vec<Vec<u32>>,
    /// The pods of each namespace that has a number.
    by_namespace: Vec<Vec<u32>>,
    /// The terms of all pods, pod after pod.
    terms: Vec<u32>,
    /// Where in `terms` each pod's end.
    ends: Vec<usize>,
    /// The namespace of each pod.
    namespaces: Vec<u32>,
}

impl Index {
    /// An index of `pods` for strategies that `vocabulary` has learnt.
    pub(super) fn new(vocabulary: &Vocabulary<'_>, pods: &[&Arc<Pod>]) -> Self {
        let mut index = Self {
            by_term: vec![Vec::new(); vocabulary.terms.count()],
            by_namespace: vec![Vec::new(); vocabulary.namespaces.len()],
            terms: Vec::new(),
            ends: Vec::with_capacity(pods.len()),
            namespaces: Vec::with_capacity(pods.len()),
        };
        for (position, pod) in (0..).zip(pods) {
            index.add(vocabulary, position, pod);
        }
        index
    }

    fn add(&mut self, vocabulary: &Vocabulary<'_>, position: u32, pod: &Pod) {
        for (key, value) in &pod.labels {
            for term in vocabulary.terms.of_label(key, value) {
                self.terms.push(term);
                self.by_term[term as usize].push(position);
            }
        }
        self.ends.push(self.terms.len());
        match vocabulary.namespaces.get(pod.namespace.as_str()) {
            Some(&namespace) => {
                self.namespaces.push(namespace);
                self.by_namespace[namespace as usize].push(position);
            }
            None => self.namespaces.push(UNNAMED),
        }
    }

    /// The positions of the pods that have everything wanted, ascending.
    pub(super) fn matches(&self, wanted: &Wanted) -> Vec<u32> {
        let mut pods = self.candidates(wanted);
        pods.retain(|&pod| self.has(pod as usize, wanted));
        pods
    }

    /// The shortest list at hand that misses no match, ascending.
    fn candidates(&self, wanted: &Wanted) -> Vec<u32> {
        let rarest =
            wanted.terms.iter().map(|&term| &self.by_term[term as usize]).min_by_key(|pods| pods.len());
        let named = wanted.namespaces.as_ref().map(|namespaces| {
            namespaces.iter().map(|&namespace| &self.by_namespace[namespace as usize]).collect::<Vec<_>>()
        });
        let named_len = named.iter().flatten().map(|pods| pods.len()).sum::<usize>();
        match (rarest, named) {
            (Some(pods), None) => pods.clone(),
            (Some(pods), Some(_)) if pods.len() <= named_len => pods.clone(),
            (_, Some(lists)) => {
                // A pod is in one namespace, so the lists are disjoint.
                let mut pods = lists.into_iter().flatten().copied().collect::<Vec<_>>();
                pods.sort_unstable();
                pods
            }
            (None, None) => (0..).take(self.ends.len()).collect(),
        }
    }

    fn has(&self, pod: usize, wanted: &Wanted) -> bool {
        let start = if pod == 0 { 0 } else { self.ends[pod - 1] };
        let terms = &self.terms[start..self.ends[pod]];
        wanted.terms.iter().all(|term| terms.contains(term))
            && wanted.namespaces.as_ref().is_none_or(|named| named.contains(&self.namespaces[pod]))
    }
}
