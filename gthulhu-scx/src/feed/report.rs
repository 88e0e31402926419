//! From what the kernel side counts and tells to what the decision maker reads.

use std::collections::BTreeMap;

use gthulhu_lib::strategy::Resolved;
use gthulhu_lib::wire::SchedulerMetrics;
use gthulhu_lib::wire::feed::{self, SchedulerState, TaskInKernel};

use crate::maps::{Counters, Event, Source, TaskView, Waits};

/// What user space adds to the kernel side's counters.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Whether it schedules.
    pub state: SchedulerState,
    /// More about that, in a few words.
    pub detail: String,
    /// When user space last completed its round, in monotonic nanoseconds.
    pub last_run_ns: u64,
    /// Changes and events that user space has not dealt with yet.
    pub pending: u64,
}

/// The counters as they travel: the eleven that every scheduler has, and all others by name.
pub fn counters(counters: &Counters, standing: Standing) -> feed::Counters {
    let Standing { state, detail, last_run_ns, pending } = standing;
    let metrics = SchedulerMetrics {
        usersched_last_run_at: last_run_ns,
        nr_queued: counters.queued,
        nr_scheduled: pending,
        nr_running: counters.running,
        nr_online_cpus: counters.online_cpus,
        nr_user_dispatches: counters.user_dispatches,
        nr_kernel_dispatches: counters.kernel_dispatches,
        nr_cancel_dispatches: counters.cancel_dispatches,
        nr_bounce_dispatches: counters.bounce_dispatches,
        nr_failed_dispatches: counters.failed_dispatches,
        nr_sched_congested: counters.events_lost,
    };
    let mut more: BTreeMap<String, u64> = counters
        .rows()
        .filter(|(name, _)| !AMONG_THE_ELEVEN.contains(name))
        .map(|(name, value)| (format!("{name}_total"), value))
        .collect();
    more.insert("governed_tasks".to_owned(), counters.governed_tasks);
    let waits = [("governed", &counters.governed_waits), ("normal", &counters.normal_waits)];
    let waits = waits.map(|(kind, waits)| (kind.to_owned(), histogram(waits))).into();
    feed::Counters { state, detail, metrics, more, waits }
}

/// Counters that have a field in [`SchedulerMetrics`].
const AMONG_THE_ELEVEN: [&str; 6] = [
    "user_dispatches",
    "kernel_dispatches",
    "cancel_dispatches",
    "bounce_dispatches",
    "failed_dispatches",
    "events_lost",
];

fn histogram(waits: &Waits) -> feed::Waits {
    feed::Waits { buckets: waits.buckets.to_vec() }
}

/// An event as it travels.
pub fn event(event: &Event) -> feed::Event {
    let made = |kind: &str, at_ns: &u64, cgroup: &u64| feed::Event {
        kind: kind.to_owned(),
        at_ns: *at_ns,
        cgroup: *cgroup,
        ..feed::Event::default()
    };
    match event {
        Event::UnknownComm { comm, tgid, cgroup, at_ns, .. } => {
            feed::Event { pid: *tgid, command: comm.to_string(), ..made("unknown-command", at_ns, cgroup) }
        }
        Event::CgroupMade { cgroup, path, at_ns } => {
            feed::Event { path: path.clone(), ..made("cgroup-made", at_ns, cgroup) }
        }
        Event::CgroupGone { cgroup, path, at_ns } => {
            feed::Event { path: path.clone(), ..made("cgroup-gone", at_ns, cgroup) }
        }
        Event::ProcessNew { tgid, comm, cgroup, at_ns } => {
            feed::Event { pid: *tgid, command: comm.to_string(), ..made("process-new", at_ns, cgroup) }
        }
        Event::ProcessGone { tgid, cgroup, at_ns } => {
            feed::Event { pid: *tgid, ..made("process-gone", at_ns, cgroup) }
        }
    }
}

/// What the kernel side holds of a task, as it travels.
pub fn task(view: &TaskView) -> TaskInKernel {
    let source = match view.source {
        Source::None => "none",
        Source::Cgroup => "cgroup",
        Source::Verdict => "verdict",
        Source::Pid => "pid",
        Source::Pending => "pending",
        Source::Refused => "refused",
    };
    TaskInKernel {
        source: source.to_owned(),
        priority: view.strategy.map_or(0, Resolved::priority),
        slice_ns: view.strategy.map_or(0, |strategy| strategy.slice_ns().into()),
        cgroup: view.cgroup,
        generation: view.generation,
        enqueues_governed: view.enqueues_governed,
        enqueues: view.enqueues_governed + view.enqueues_normal,
        first_governed_ns: view.first_governed_ns.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use gthulhu_lib::process::Comm;

    use super::*;

    #[test]
    fn every_counter_is_told_once() {
        let mut counted =
            Counters { queued: 1, running: 2, online_cpus: 3, governed_tasks: 4, ..Counters::default() };
        for index in 0..Counters::NAMES.len() {
            counted.set(index, 100 + index as u64);
        }
        counted.governed_waits.buckets[3] = 7;
        let standing = Standing { last_run_ns: 5, pending: 6, ..Standing::default() };
        let told = counters(&counted, standing);
        let metrics = serde_json::to_value(told.metrics).unwrap();
        let mut values: Vec<u64> =
            metrics.as_object().unwrap().values().map(|value| value.as_u64().unwrap()).collect();
        values.extend(told.more.values());
        values.sort_unstable();
        let all: Vec<u64> = (1..=6).chain((100..).take(Counters::NAMES.len())).collect();
        assert_eq!(values, all);
        assert_eq!(told.more["preemptions_total"], counted.preemptions);
        assert_eq!(told.more["governed_tasks"], 4);
        assert_eq!(
            (told.waits["governed"].buckets[3], told.waits["normal"].buckets.len()),
            (7, Waits::BUCKETS)
        );
    }

    #[test]
    fn events_keep_what_applies_to_them() {
        let comm = Comm::new(b"nginx");
        let told = event(&Event::UnknownComm { rule: 1, comm, tgid: 42, cgroup: 9, at_ns: 5 });
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(text, r#"{"kind":"unknown-command","atNs":5,"pid":42,"command":"nginx","cgroup":9}"#);
        let told = event(&Event::CgroupGone { cgroup: 9, path: "/a".to_owned(), at_ns: 5 });
        assert_eq!((told.kind.as_str(), told.path.as_str(), told.pid), ("cgroup-gone", "/a", 0));
    }
}
