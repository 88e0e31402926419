//! Label selectors: what a strategy asks of a pod's labels.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

/// One requirement on a pod's labels; the requirements of a strategy must all hold.
///
/// The same shape serves as a label (key and value) where the scheduler is told a pod's labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Selector {
    /// The label's key. A selector with an empty key asks for nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The label's value. Empty: the label must exist, with any value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
}

impl Selector {
    /// A selector of the given key and value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }

    /// Whether a pod with these labels satisfies the selector.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.key.is_empty()
            || labels.get(&self.key).is_some_and(|value| self.value.is_empty() || *value == self.value)
    }
}

/// The selectors that a number of strategies use, each known by a small number: its term.
///
/// Labels that no strategy asks for get no term, and cost one failed look-up.
#[derive(Debug, Default)]
pub(crate) struct Terms<'a> {
    keys: HashMap<&'a str, KeyTerms<'a>>,
    count: u32,
}

#[derive(Debug, Default)]
struct KeyTerms<'a> {
    /// The term of "this key exists".
    any: Option<u32>,
    /// The terms of "this key has this value".
    values: HashMap<&'a str, u32>,
}

impl<'a> Terms<'a> {
    /// The term of a selector, new if needed; none if it asks for nothing.
    pub(crate) fn intern(&mut self, selector: &'a Selector) -> Option<u32> {
        if selector.key.is_empty() {
            return None;
        }
        let key = self.keys.entry(&selector.key).or_default();
        let slot = match selector.value.as_str() {
            "" => key.any.get_or_insert(self.count),
            value => key.values.entry(value).or_insert(self.count),
        };
        if *slot == self.count {
            self.count += 1;
        }
        Some(*slot)
    }

    /// The terms that a label satisfies: at most two.
    pub(crate) fn of_label(&self, key: &str, value: &str) -> impl Iterator<Item = u32> {
        let known = self.keys.get(key);
        let exact = known.and_then(|known| known.values.get(value).copied());
        known.and_then(|known| known.any).into_iter().chain(exact)
    }

    /// Number of terms; they are `0..count`.
    pub(crate) fn count(&self) -> usize {
        self.count as usize
    }
}
