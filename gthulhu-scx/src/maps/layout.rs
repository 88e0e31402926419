//! Values as they lie in the maps; the other half of `bpf/intf.h`.
//!
//! Everything is read and written by its place, so nothing here depends on how Rust lays out a struct.

use gthulhu_lib::process::Comm;
use gthulhu_lib::strategy::Resolved;

use super::{
    CgroupCounters, CgroupRule, Counters, Event, MapsError, PidRule, Source, TaskView, Verdict, Waits,
};

const COMM: usize = 16;
const UNGOVERNED: u8 = 1;
const BY_COMM: u32 = 1;
/// Of a CPU that runs nothing of ours: `GTH_RANK_IDLE`.
const RANK_IDLE: u32 = 22;

pub(crate) const EVENT: usize = 304;
pub(crate) const TASK: usize = 168;
pub(crate) const CPU: usize = 64;
pub(crate) const STATS: usize = 8 * (Counters::NAMES.len() + 2 * Waits::BUCKETS + 2);
pub(crate) const CGROUP_COUNTERS: usize = 40;
pub(crate) const EXIT: usize = 656;

/// The eight bytes of a strategy.
fn strategy(resolved: Resolved, flags: u8) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&resolved.slice_ns().to_le_bytes());
    bytes[4] = resolved.priority();
    bytes[5] = flags;
    bytes
}

pub(crate) fn cgroup_rule(rule: CgroupRule) -> [u8; 16] {
    let (number, flags, value) = match rule {
        CgroupRule::Fixed(resolved) => (0, 0, strategy(resolved, 0)),
        CgroupRule::ByComm { rule } => (rule, BY_COMM, [0; 8]),
    };
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..8].copy_from_slice(&flags.to_le_bytes());
    bytes[8..].copy_from_slice(&value);
    bytes
}

pub(crate) fn verdict_key(rule: u32, comm: &Comm) -> [u8; 4 + COMM] {
    let mut bytes = [0; 4 + COMM];
    bytes[..4].copy_from_slice(&rule.to_le_bytes());
    let name = comm.as_bytes();
    bytes[4..4 + name.len()].copy_from_slice(name);
    bytes
}

pub(crate) fn verdict(verdict: Verdict) -> [u8; 16] {
    let value = match verdict {
        Verdict::Governed(resolved) => strategy(resolved, 0),
        Verdict::Ungoverned => strategy(Resolved::clamped(0, 0), UNGOVERNED),
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&value);
    bytes
}

pub(crate) fn pid_rule(row: &PidRule) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&strategy(row.resolved, 0));
    bytes[8..].copy_from_slice(&row.start_ticks.to_le_bytes());
    bytes
}

/// Fields of a value, by place. The value has been checked to be long enough.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn of(map: &'static str, bytes: &'a [u8], wanted: usize) -> Result<Self, MapsError> {
        if bytes.len() < wanted {
            return Err(MapsError::Shape { map, found: bytes.len(), wanted });
        }
        Ok(Self(bytes))
    }

    fn part<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut part = [0; N];
        part.copy_from_slice(&self.0[at..at + N]);
        part
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.part(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.part(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.part(at))
    }

    /// Bytes up to the first NUL, at most `len`.
    fn text(&self, at: usize, len: usize) -> &'a [u8] {
        let bytes = &self.0[at..at + len];
        &bytes[..bytes.iter().position(|&byte| byte == 0).unwrap_or(len)]
    }

    fn strategy(&self, at: usize) -> Resolved {
        Resolved::clamped(i64::from(self.0[at + 4]), i64::from(self.u32(at)))
    }
}

/// `None` for a kind that this version does not know.
pub(crate) fn event(bytes: &[u8]) -> Result<Option<Event>, MapsError> {
    let fields = Fields::of("events", bytes, EVENT)?;
    let (kind, tgid, rule) = (fields.u32(0), fields.u32(4), fields.u32(8));
    let (cgroup, at_ns) = (fields.u64(16), fields.u64(24));
    let comm = Comm::new(fields.text(32, COMM));
    let path = || String::from_utf8_lossy(fields.text(32 + COMM, EVENT - 32 - COMM)).into_owned();
    Ok(Some(match kind {
        1 => Event::UnknownComm { rule, comm, tgid, cgroup, at_ns },
        2 => Event::CgroupMade { cgroup, path: path(), at_ns },
        3 => Event::CgroupGone { cgroup, path: path(), at_ns },
        4 => Event::ProcessNew { tgid, comm, cgroup, at_ns },
        5 => Event::ProcessGone { tgid, cgroup, at_ns },
        _ => return Ok(None),
    }))
}

pub(crate) fn task(bytes: &[u8]) -> Result<TaskView, MapsError> {
    let fields = Fields::of("task_ctx", bytes, TASK)?;
    let source = match fields.u32(48) {
        1 => Source::Cgroup,
        2 => Source::Verdict,
        3 => Source::Pid,
        4 => Source::Pending,
        5 => Source::Refused,
        _ => Source::None,
    };
    let governed = matches!(source, Source::Cgroup | Source::Verdict | Source::Pid);
    let some = |value: u64| (value != 0).then_some(value);
    Ok(TaskView {
        strategy: governed.then(|| fields.strategy(40)),
        source,
        cgroup: fields.u64(8),
        rule_cgroup: some(fields.u64(16)),
        generation: fields.u64(0),
        first_governed_ns: some(fields.u64(56)),
        enqueues_governed: fields.u64(64),
        enqueues_normal: fields.u64(72),
        vtime: fields.u64(80),
        budget_ns: u64::try_from(fields.i64(88)).unwrap_or(0),
    })
}

/// Sums the counters of all CPUs, and what runs on them.
pub(crate) fn counters(stats: &[Vec<u8>], cpus: &[Vec<u8>]) -> Result<Counters, MapsError> {
    let mut counters = Counters::default();
    let names = Counters::NAMES.len();
    let mut sums = vec![0_u64; names];
    let (mut governed, mut queued) = (0_i64, 0_i64);
    for bytes in stats {
        let fields = Fields::of("stats", bytes, STATS)?;
        for (index, sum) in sums.iter_mut().enumerate() {
            *sum = sum.wrapping_add(fields.u64(8 * index));
        }
        for bucket in 0..Waits::BUCKETS {
            counters.governed_waits.buckets[bucket] += fields.u64(8 * (names + bucket));
            counters.normal_waits.buckets[bucket] += fields.u64(8 * (names + Waits::BUCKETS + bucket));
        }
        governed = governed.wrapping_add(fields.i64(8 * (names + 2 * Waits::BUCKETS)));
        queued = queued.wrapping_add(fields.i64(8 * (names + 2 * Waits::BUCKETS + 1)));
    }
    for (index, sum) in sums.into_iter().enumerate() {
        counters.set(index, sum);
    }
    counters.governed_tasks = u64::try_from(governed).unwrap_or(0);
    counters.queued = u64::try_from(queued).unwrap_or(0);
    for bytes in cpus {
        let fields = Fields::of("cpu_ctx", bytes, CPU)?;
        let online = fields.u32(4) == 1;
        counters.online_cpus += u64::from(online);
        counters.running += u64::from(online && fields.u32(0) != RANK_IDLE);
    }
    Ok(counters)
}

/// Sums the counters of one cgroup over all CPUs.
pub(crate) fn cgroup_counters(cpus: &[Vec<u8>]) -> Result<CgroupCounters, MapsError> {
    let mut sum = CgroupCounters::default();
    for bytes in cpus {
        let fields = Fields::of("cg_counters", bytes, CGROUP_COUNTERS)?;
        sum.enqueues_governed += fields.u64(0);
        sum.enqueues_normal += fields.u64(8);
        sum.enqueues_refused += fields.u64(16);
        let first = fields.u64(24);
        if first != 0 && (sum.first_governed_ns == 0 || first < sum.first_governed_ns) {
            sum.first_governed_ns = first;
        }
        sum.run_ns += fields.u64(32);
    }
    Ok(sum)
}

/// Kind, code, reason and message of the end of the scheduler.
pub(crate) fn exit(bytes: &[u8]) -> Result<(u64, i64, String, String), MapsError> {
    let fields = Fields::of("exit", bytes, EXIT)?;
    let text = |at, len| String::from_utf8_lossy(fields.text(at, len)).into_owned();
    Ok((fields.u64(0), fields.i64(8), text(16, 128), text(144, 512)))
}

#[cfg(test)]
mod tests;
