//! The maps in memory, for tests of what fills and reads them.

use std::collections::BTreeMap;

use super::{CgroupCounters, CgroupRule, Comm, Counters, KernelMaps, MapsError, PidRule, TaskView, Verdict};

/// Holds what was put. `published` is what tasks would see: the state at the last publish.
#[derive(Debug, Default)]
pub(crate) struct FakeMaps {
    pub(crate) now: State,
    pub(crate) published: State,
    pub(crate) generation: u64,
    pub(crate) counters: Counters,
    pub(crate) cgroup_counters: BTreeMap<u64, CgroupCounters>,
    pub(crate) tasks: BTreeMap<u32, TaskView>,
    /// Room for rules of processes; `None` is without bound.
    pub(crate) pid_limit: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) cgroups: BTreeMap<u64, CgroupRule>,
    pub(crate) verdicts: BTreeMap<(u32, Comm), Verdict>,
    pub(crate) pids: BTreeMap<u32, PidRule>,
}

impl KernelMaps for FakeMaps {
    fn put_cgroup(&mut self, cgroup: u64, rule: CgroupRule) -> Result<(), MapsError> {
        self.now.cgroups.insert(cgroup, rule);
        self.cgroup_counters.entry(cgroup).or_default();
        Ok(())
    }

    fn remove_cgroup(&mut self, cgroup: u64) -> Result<(), MapsError> {
        self.now.cgroups.remove(&cgroup);
        self.cgroup_counters.remove(&cgroup);
        Ok(())
    }

    fn put_verdict(&mut self, rule: u32, comm: &Comm, verdict: Verdict) -> Result<(), MapsError> {
        self.now.verdicts.insert((rule, *comm), verdict);
        Ok(())
    }

    fn put_pids(&mut self, rows: &[PidRule]) -> Result<(), MapsError> {
        for row in rows {
            let full = |limit: u32| self.now.pids.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
            if let Some(limit) = self.pid_limit
                && full(limit)
                && !self.now.pids.contains_key(&row.tgid)
            {
                return Err(MapsError::Full { map: "pid_rules", limit });
            }
            self.now.pids.insert(row.tgid, *row);
        }
        Ok(())
    }

    fn remove_pids(&mut self, tgids: &[u32]) -> Result<(), MapsError> {
        for tgid in tgids {
            self.now.pids.remove(tgid);
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<u64, MapsError> {
        self.published = self.now.clone();
        self.generation += 1;
        Ok(self.generation)
    }

    fn counters(&self) -> Result<Counters, MapsError> {
        Ok(self.counters.clone())
    }

    fn cgroup_counters(&self, cgroup: u64) -> Result<Option<CgroupCounters>, MapsError> {
        Ok(self.cgroup_counters.get(&cgroup).copied())
    }

    fn task(&self, tid: u32) -> Result<Option<TaskView>, MapsError> {
        Ok(self.tasks.get(&tid).copied())
    }
}
