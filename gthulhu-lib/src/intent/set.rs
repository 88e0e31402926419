//! The complete set of intents that one node holds, in canonical order.
//!
//! The order is total on contents: two sets with the same intents are equal, hash equally and are written
//! equally, however they were put together. Duplicates stay: each counts.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Intent, Invalid, Limits, check_command_regex, digest};
use crate::wire::IntentBody;

/// A node's intents, checked and in canonical order. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentSet {
    intents: Arc<[Intent]>,
}

impl IntentSet {
    /// Checks each of `bodies`; the first fault refuses the whole set. Its field is prefixed with the intent's
    /// position in the list as it came: `intents[3].priority`.
    pub fn check(bodies: Vec<IntentBody>, limits: &Limits) -> Result<Self, Invalid> {
        // A set has many intents but few distinct regexes, and compiling one costs more than all other checks.
        let mut compiled = HashSet::new();
        bodies
            .into_iter()
            .enumerate()
            .map(|(position, body)| {
                let locate =
                    |fault: Invalid| Invalid::new(format!("intents[{position}].{}", fault.field), fault.rule);
                if !compiled.contains(&body.command_regex) {
                    check_command_regex("commandRegex", &body.command_regex).map_err(locate)?;
                    compiled.insert(body.command_regex.clone());
                }
                Intent::check_all_but_regex(body, *limits).map_err(locate)
            })
            .collect()
    }

    /// The intents in canonical order.
    pub fn iter(&self) -> std::slice::Iter<'_, Intent> {
        self.intents.iter()
    }

    /// The intents in canonical order, to be indexed.
    pub fn as_slice(&self) -> &[Intent] {
        &self.intents
    }

    /// Number of intents, duplicates included.
    pub fn len(&self) -> usize {
        self.intents.len()
    }

    /// Whether there is no intent.
    pub fn is_empty(&self) -> bool {
        self.intents.is_empty()
    }

    /// Merkle root as every decision maker computes it, see [`digest`].
    pub fn merkle_root(&self) -> [u8; 32] {
        digest::merkle_root(&self.intents)
    }

    /// Our own digest, which covers the strategies' ids too, see [`digest`].
    pub fn digest(&self) -> [u8; 32] {
        digest::digest(&self.intents)
    }

    /// The set without any intent of the pod with this uid. As everywhere, uids in either case are one.
    #[must_use]
    pub fn without_pod(&self, pod_uid: &str) -> Self {
        // What remains is still in order.
        let stays = |intent: &&Intent| !intent.pod_uid().eq_ignore_ascii_case(pod_uid);
        Self { intents: self.iter().filter(stays).cloned().collect() }
    }

    /// The set as it travels, in canonical order.
    pub fn to_wire(&self) -> Vec<IntentBody> {
        self.iter().map(Intent::to_wire).collect()
    }
}

impl Default for IntentSet {
    /// The empty set.
    fn default() -> Self {
        Self { intents: Arc::from([]) }
    }
}

impl FromIterator<Intent> for IntentSet {
    /// A set of intents that were checked one by one, given in any order.
    fn from_iter<I: IntoIterator<Item = Intent>>(intents: I) -> Self {
        Self { intents: digest::canonical(intents).into() }
    }
}

impl<'a> IntoIterator for &'a IntentSet {
    type Item = &'a Intent;
    type IntoIter = std::slice::Iter<'a, Intent>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
