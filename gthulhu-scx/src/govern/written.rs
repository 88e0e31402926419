//! What the kernel's maps hold because we wrote it.

use std::collections::BTreeMap;

use gthulhu_lib::process::ProcessId;

use super::plan::Plan;
use crate::maps::{CgroupRule, KernelMaps, MapsError, PidRule};

/// A copy of the maps.
#[derive(Debug, Default)]
pub(super) struct Written {
    cgroups: BTreeMap<u64, CgroupRule>,
    pids: BTreeMap<u32, PidRule>,
}

/// What writing came to.
#[derive(Debug, Default)]
pub(super) struct Wrote {
    /// Whether the maps are others than before.
    pub(super) changed: bool,
    /// Rules that found no room.
    pub(super) refused: usize,
    /// The map that has none.
    pub(super) full: Option<MapsError>,
}

impl Written {
    pub(super) fn cgroups(&self) -> usize {
        self.cgroups.len()
    }

    pub(super) fn pids(&self) -> usize {
        self.pids.len()
    }

    pub(super) fn cgroup_ids(&self) -> impl Iterator<Item = u64> {
        self.cgroups.keys().copied()
    }

    pub(super) fn pid_rules(&self) -> impl Iterator<Item = ProcessId> {
        self.pids.values().map(|rule| ProcessId { pid: rule.tgid, start: rule.start_ticks })
    }

    /// Brings the maps to what is planned. Removals come first, for the room they make; rules that exist are changed
    /// before new ones are added, so that what has room keeps it.
    pub(super) fn bring(&mut self, plan: &Plan, maps: &mut dyn KernelMaps) -> Result<Wrote, MapsError> {
        let mut wrote = Wrote::default();
        self.bring_pids(&plan.pids, maps, &mut wrote)?;
        self.bring_cgroups(&plan.cgroups, maps, &mut wrote)?;
        Ok(wrote)
    }

    fn bring_cgroups(
        &mut self,
        due: &BTreeMap<u64, CgroupRule>,
        maps: &mut dyn KernelMaps,
        wrote: &mut Wrote,
    ) -> Result<(), MapsError> {
        let surplus: Vec<u64> = self.cgroups.keys().filter(|id| !due.contains_key(id)).copied().collect();
        for id in surplus {
            maps.remove_cgroup(id)?;
            self.cgroups.remove(&id);
            wrote.changed = true;
        }
        for (&id, &rule) in
            due.iter().filter(|(id, rule)| self.cgroups.get(id) != Some(rule)).collect::<Vec<_>>()
        {
            match maps.put_cgroup(id, rule) {
                Ok(()) => {
                    self.cgroups.insert(id, rule);
                    wrote.changed = true;
                }
                Err(full @ MapsError::Full { .. }) => wrote.refuse(1, full),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn bring_pids(
        &mut self,
        due: &BTreeMap<u32, PidRule>,
        maps: &mut dyn KernelMaps,
        wrote: &mut Wrote,
    ) -> Result<(), MapsError> {
        let surplus: Vec<u32> = self.pids.keys().filter(|pid| !due.contains_key(pid)).copied().collect();
        if !surplus.is_empty() {
            maps.remove_pids(&surplus)?;
            self.pids.retain(|pid, _| due.contains_key(pid));
            wrote.changed = true;
        }
        let different = due.values().filter(|rule| self.pids.get(&rule.tgid) != Some(rule)).copied();
        let (changed, new): (Vec<_>, Vec<_>) = different.partition(|rule| self.pids.contains_key(&rule.tgid));
        self.put_pids(&changed, maps, wrote)?;
        self.put_pids(&new, maps, wrote)
    }

    /// Writes as many of these as there is room for.
    fn put_pids(
        &mut self,
        rows: &[PidRule],
        maps: &mut dyn KernelMaps,
        wrote: &mut Wrote,
    ) -> Result<(), MapsError> {
        if rows.is_empty() {
            return Ok(());
        }
        match maps.put_pids(rows) {
            Ok(()) => {
                self.pids.extend(rows.iter().map(|rule| (rule.tgid, *rule)));
                wrote.changed = true;
                Ok(())
            }
            Err(full @ MapsError::Full { .. }) if rows.len() == 1 => {
                wrote.refuse(1, full);
                Ok(())
            }
            // The first of them are in, and it is not said how many: writing those again changes nothing.
            Err(MapsError::Full { .. }) => {
                let (first, rest) = rows.split_at(rows.len() / 2);
                self.put_pids(first, maps, wrote)?;
                self.put_pids(rest, maps, wrote)
            }
            Err(error) => Err(error),
        }
    }

    /// A cgroup is gone: takes its rule out of the maps. Whether it had one.
    pub(super) fn forget_cgroup(&mut self, id: u64, maps: &mut dyn KernelMaps) -> Result<bool, MapsError> {
        let had = self.cgroups.contains_key(&id);
        if had {
            maps.remove_cgroup(id)?;
            self.cgroups.remove(&id);
        }
        Ok(had)
    }

    /// A process is gone, and its rule with it.
    pub(super) fn forget_pid(&mut self, pid: u32) -> Option<ProcessId> {
        let rule = self.pids.remove(&pid)?;
        Some(ProcessId { pid: rule.tgid, start: rule.start_ticks })
    }
}

impl Wrote {
    fn refuse(&mut self, count: usize, full: MapsError) {
        self.refused += count;
        self.full = Some(full);
    }
}
