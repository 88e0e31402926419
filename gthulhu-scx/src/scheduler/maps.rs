//! The maps of the kernel.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use gthulhu_lib::process::Comm;
use libbpf_rs::{ErrorKind, MapCore, MapFlags, MapHandle};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{LoadError, failed};
use crate::bpf::MainSkel;
use crate::maps::layout;
use crate::maps::{CgroupCounters, CgroupRule, Counters, KernelMaps, MapsError, PidRule, TaskView, Verdict};

/// `PIDFD_THREAD`: any thread, not only a leader.
const THREAD: PidfdFlags = PidfdFlags::from_bits_retain(0o200);

/// Handles of the maps; they hold the maps open on their own.
#[derive(Debug)]
pub struct Maps {
    cg_rules: MapHandle,
    pid_rules: MapHandle,
    verdicts: MapHandle,
    cg_counters: MapHandle,
    task_ctx: MapHandle,
    cpu_ctx: MapHandle,
    stats: MapHandle,
    publish: MapHandle,
    generation: u64,
    cpus: usize,
}

impl Maps {
    pub(super) fn of(skeleton: &MainSkel<'_>) -> Result<Self, LoadError> {
        let maps = &skeleton.maps;
        let handle =
            |map: &libbpf_rs::Map<'_>| MapHandle::try_from(map).map_err(|error| failed("find maps", &error));
        Ok(Self {
            cg_rules: handle(&maps.cg_rules)?,
            pid_rules: handle(&maps.pid_rules)?,
            verdicts: handle(&maps.verdicts)?,
            cg_counters: handle(&maps.cg_counters)?,
            task_ctx: handle(&maps.task_ctx)?,
            cpu_ctx: handle(&maps.cpu_ctx)?,
            stats: handle(&maps.stats)?,
            publish: handle(&maps.data_publish)?,
            generation: 1,
            cpus: libbpf_rs::num_possible_cpus().map_err(|error| failed("count the CPUs", &error))?,
        })
    }
}

/// An error of the library with the names that a reader can use.
fn refused(map: &'static str, limit: u32, operation: &'static str) -> impl Fn(libbpf_rs::Error) -> MapsError {
    move |error| match error.kind() {
        ErrorKind::TooBig => MapsError::Full { map, limit },
        _ => MapsError::Kernel { map, operation, source: io::Error::other(error) },
    }
}

fn put(map: &MapHandle, name: &'static str, key: &[u8], value: &[u8]) -> Result<(), MapsError> {
    map.update(key, value, MapFlags::ANY).map_err(refused(name, map.max_entries(), "write"))
}

fn remove(map: &MapHandle, name: &'static str, key: &[u8]) -> Result<(), MapsError> {
    match map.delete(key) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(refused(name, 0, "delete from")(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The only value of a map that holds one for each CPU.
fn single(map: &MapHandle, name: &'static str) -> Result<Vec<Vec<u8>>, MapsError> {
    let found = map.lookup_percpu(&0_u32.to_le_bytes(), MapFlags::ANY).map_err(refused(name, 0, "read"))?;
    Ok(found.unwrap_or_default())
}

impl KernelMaps for Maps {
    fn put_cgroup(&mut self, cgroup: u64, rule: CgroupRule) -> Result<(), MapsError> {
        let key = cgroup.to_le_bytes();
        // Counters first: they are there when the rule acts. They stay when a rule is replaced.
        let zero = vec![vec![0; layout::CGROUP_COUNTERS]; self.cpus];
        match self.cg_counters.update_percpu(&key, &zero, MapFlags::NO_EXIST) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(refused("cg_counters", self.cg_counters.max_entries(), "write")(error));
            }
            Ok(()) | Err(_) => {}
        }
        put(&self.cg_rules, "cg_rules", &key, &layout::cgroup_rule(rule))
    }

    fn remove_cgroup(&mut self, cgroup: u64) -> Result<(), MapsError> {
        let key = cgroup.to_le_bytes();
        remove(&self.cg_rules, "cg_rules", &key)?;
        remove(&self.cg_counters, "cg_counters", &key)
    }

    fn put_verdict(&mut self, rule: u32, comm: &Comm, verdict: Verdict) -> Result<(), MapsError> {
        put(&self.verdicts, "verdicts", &layout::verdict_key(rule, comm), &layout::verdict(verdict))
    }

    fn put_pids(&mut self, rows: &[PidRule]) -> Result<(), MapsError> {
        if rows.is_empty() {
            return Ok(());
        }
        let keys: Vec<u8> = rows.iter().flat_map(|row| row.tgid.to_le_bytes()).collect();
        let values: Vec<u8> = rows.iter().flat_map(layout::pid_rule).collect();
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        if self.pid_rules.update_batch(&keys, &values, count, MapFlags::ANY, MapFlags::ANY).is_ok() {
            return Ok(());
        }
        // A batch does not say how far it came; one by one it is clear which row found no room.
        rows.iter().try_for_each(|row| {
            put(&self.pid_rules, "pid_rules", &row.tgid.to_le_bytes(), &layout::pid_rule(row))
        })
    }

    fn remove_pids(&mut self, tgids: &[u32]) -> Result<(), MapsError> {
        tgids.iter().try_for_each(|tgid| remove(&self.pid_rules, "pid_rules", &tgid.to_le_bytes()))
    }

    fn publish(&mut self) -> Result<u64, MapsError> {
        let next = self.generation + 1;
        put(&self.publish, "publish", &0_u32.to_le_bytes(), &next.to_le_bytes())?;
        self.generation = next;
        Ok(next)
    }

    fn counters(&self) -> Result<Counters, MapsError> {
        layout::counters(&single(&self.stats, "stats")?, &single(&self.cpu_ctx, "cpu_ctx")?)
    }

    fn cgroup_counters(&self, cgroup: u64) -> Result<Option<CgroupCounters>, MapsError> {
        self.cg_counters
            .lookup_percpu(&cgroup.to_le_bytes(), MapFlags::ANY)
            .map_err(refused("cg_counters", 0, "read"))?
            .map(|cpus| layout::cgroup_counters(&cpus))
            .transpose()
    }

    fn task(&self, tid: u32) -> Result<Option<TaskView>, MapsError> {
        let Some(pid) = i32::try_from(tid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        let pidfd = match pidfd_open(pid, THREAD) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => {
                return Err(MapsError::Kernel { map: "task_ctx", operation: "read", source: error.into() });
            }
        };
        self.task_ctx
            .lookup(&pidfd.as_fd().as_raw_fd().to_le_bytes(), MapFlags::ANY)
            .map_err(refused("task_ctx", 0, "read"))?
            .map(|value| layout::task(&value))
            .transpose()
    }
}
