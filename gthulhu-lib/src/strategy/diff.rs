//! What differs between two states of the strategy table.

use super::Entry;

/// The entries to write and the pids to clear to get from one state of the table to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// New and changed entries, by pid.
    pub changed: Vec<(u32, Entry)>,
    /// Pids that have no entry any more, ascending.
    pub removed: Vec<u32>,
}

impl Diff {
    /// Compares two states, each in ascending order of pid without duplicates.
    pub fn between(old: &[(u32, Entry)], new: &[(u32, Entry)]) -> Self {
        let mut diff = Self::default();
        let mut old = old.iter().peekable();
        for &(pid, entry) in new {
            while let Some(&(gone, _)) = old.next_if(|&&(other, _)| other < pid) {
                diff.removed.push(gone);
            }
            let before = old.next_if(|&&(other, _)| other == pid);
            if before.is_none_or(|&(_, other)| other != entry) {
                diff.changed.push((pid, entry));
            }
        }
        diff.removed.extend(old.map(|&(gone, _)| gone));
        diff
    }

    /// Whether both states were the same.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::strategy::Resolved;

    fn state(entries: &BTreeMap<u32, u64>) -> Vec<(u32, Entry)> {
        entries.iter().map(|(&pid, &start)| (pid, Entry::pack(Resolved::clamped(1, 0), start))).collect()
    }

    proptest! {
        #[test]
        fn applying_the_difference_gives_the_new_state_and_nothing_is_in_it_twice(
            old in proptest::collection::btree_map(0_u32..40, 0_u64..3, 0..30),
            new in proptest::collection::btree_map(0_u32..40, 0_u64..3, 0..30),
        ) {
            let (old, new) = (state(&old), state(&new));
            let diff = Diff::between(&old, &new);
            let mut applied: BTreeMap<u32, Entry> = old.iter().copied().collect();
            for (pid, entry) in &diff.changed {
                prop_assert_ne!(applied.insert(*pid, *entry), Some(*entry), "{} did not change", pid);
            }
            for pid in &diff.removed {
                prop_assert!(applied.remove(pid).is_some(), "{} was not there", pid);
            }
            prop_assert_eq!(applied.into_iter().collect::<Vec<_>>(), new.clone());
            prop_assert_eq!(diff.is_empty(), old == new);
        }
    }
}
