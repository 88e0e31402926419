//! The complete set of intents that one node holds, in canonical order.
//!
//! The order is total on contents: two sets with the same intents are equal, hash equally and are written
//! equally, however they were put together. Duplicates stay: each counts.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::checker::Admitted;
use super::{COMMAND_REGEXES_MAX, Checker, Intent, Invalid, Limits, digest};
use crate::wire::IntentBody;

/// A node's intents, checked and in canonical order. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentSet {
    intents: Arc<[Intent]>,
}

impl IntentSet {
    /// Checks each of `bodies`; the first fault refuses the whole set. Its field is prefixed with the intent's
    /// position in the list as it came: `intents[3].priority`.
    ///
    /// More than [`COMMAND_REGEXES_MAX`] distinct regexes are refused before the first is compiled.
    ///
    /// # Errors
    ///
    /// If any of `bodies` is refused by [`Intent::check`], or they have too many distinct regexes.
    pub fn check(bodies: Vec<IntentBody>, limits: &Limits) -> Result<Self, Invalid> {
        Self::check_next(bodies, &mut Checker::new(*limits))
    }

    /// As [`IntentSet::check`], for whoever checks one set after the other: a round of `checker` each.
    ///
    /// # Errors
    ///
    /// Those of [`IntentSet::check`].
    pub fn check_next(bodies: Vec<IntentBody>, checker: &mut Checker) -> Result<Self, Invalid> {
        check_regex_count(&bodies)?;
        checker.next_round();
        let check = |(position, body)| checker.check(body).map_err(|fault| located(position, fault));
        bodies.into_iter().enumerate().map(check).collect()
    }

    /// Parts the set into what [`IntentSet::check`] takes, and the intents that make it too many distinct regexes: the
    /// first ones in canonical order stay, each with all its intents.
    #[must_use]
    pub fn split_at_regex_bound(&self) -> (Self, Vec<Intent>) {
        let mut admitted = Admitted::default();
        let (within, beyond): (Vec<_>, Vec<_>) =
            self.iter().partition(|intent| admitted.admit(intent.command_regex()));
        if beyond.is_empty() {
            return (self.clone(), Vec::new());
        }
        // What remains is still in order.
        (Self { intents: within.into_iter().cloned().collect() }, beyond.into_iter().cloned().collect())
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

/// The distinct regexes are few enough to be compiled.
fn check_regex_count(bodies: &[IntentBody]) -> Result<(), Invalid> {
    let mut admitted = Admitted::default();
    let rule = || format!("must be one of at most {COMMAND_REGEXES_MAX} distinct regexes in a set");
    match bodies.iter().position(|body| !admitted.admit(&body.command_regex)) {
        None => Ok(()),
        Some(position) => Err(located(position, Invalid::new("commandRegex", rule()))),
    }
}

/// The fault, with the position of its intent.
fn located(position: usize, fault: Invalid) -> Invalid {
    Invalid::new(format!("intents[{position}].{}", fault.field), fault.rule)
}

impl Default for IntentSet {
    /// The empty set.
    fn default() -> Self {
        Self { intents: Arc::from([]) }
    }
}

impl FromIterator<Intent> for IntentSet {
    /// A set of intents that were checked one by one, given in any order. How many distinct regexes they have is not
    /// checked: see [`IntentSet::split_at_regex_bound`].
    fn from_iter<I: IntoIterator<Item = Intent>>(intents: I) -> Self {
        Self { intents: digest::canonical(intents).into() }
    }
}

/// As it travels, in canonical order.
impl Serialize for IntentSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'a> IntoIterator for &'a IntentSet {
    type Item = &'a Intent;
    type IntoIter = std::slice::Iter<'a, Intent>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
