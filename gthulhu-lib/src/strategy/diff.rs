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
