//! The counters that every scheduler has, as they were last told, by a post or by the feed.
//!
//! Each has the short name that dashboards know and a name in base units. None is there before they were
//! told: a series of zeros would say that a scheduler runs and does nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use gthulhu_lib::wire::SchedulerMetrics;
use prometheus::{
    Counter, Gauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

/// One counter: where it is, what it is called, what it says.
struct Row {
    value: fn(&SchedulerMetrics) -> u64,
    short: &'static str,
    name: &'static str,
    /// What one of the scheduler's units is in the unit of `name`.
    scale: f64,
    help: &'static str,
}

impl Row {
    const fn new(
        value: fn(&SchedulerMetrics) -> u64,
        short: &'static str,
        name: &'static str,
        scale: f64,
        help: &'static str,
    ) -> Row {
        Row { value, short, name, scale, help }
    }
}

const ROWS: [Row; 11] = [
    Row::new(
        |m| m.usersched_last_run_at,
        "user_sched_last_run_at",
        "gthulhu_scheduler_last_run_seconds",
        1e-9,
        "When the scheduler's user space last ran, on its own clock",
    ),
    Row::new(
        |m| m.nr_queued,
        "nr_queued",
        "gthulhu_scheduler_queued_tasks",
        1.0,
        "Tasks waiting in dispatch queues",
    ),
    Row::new(
        |m| m.nr_scheduled,
        "nr_scheduled",
        "gthulhu_scheduler_scheduled_tasks",
        1.0,
        "Work waiting in the scheduler's user space",
    ),
    Row::new(|m| m.nr_running, "nr_running", "gthulhu_scheduler_running_tasks", 1.0, "CPUs that run a task"),
    Row::new(|m| m.nr_online_cpus, "nr_online_cpus", "gthulhu_scheduler_online_cpus", 1.0, "CPUs online"),
    Row::new(
        |m| m.nr_user_dispatches,
        "nr_user_dispatches",
        "gthulhu_scheduler_user_dispatches_total",
        1.0,
        "Dispatches governed by a strategy",
    ),
    Row::new(
        |m| m.nr_kernel_dispatches,
        "nr_kernel_dispatches",
        "gthulhu_scheduler_kernel_dispatches_total",
        1.0,
        "Dispatches by the scheduler's default policy",
    ),
    Row::new(
        |m| m.nr_cancel_dispatches,
        "nr_cancel_dispatches",
        "gthulhu_scheduler_cancelled_dispatches_total",
        1.0,
        "Dispatches that were withdrawn",
    ),
    Row::new(
        |m| m.nr_bounce_dispatches,
        "nr_bounce_dispatches",
        "gthulhu_scheduler_bounced_dispatches_total",
        1.0,
        "Dispatches that had to go to another queue",
    ),
    Row::new(
        |m| m.nr_failed_dispatches,
        "nr_failed_dispatches",
        "gthulhu_scheduler_failed_dispatches_total",
        1.0,
        "Dispatches that failed",
    ),
    Row::new(
        |m| m.nr_sched_congested,
        "nr_sched_congested",
        "gthulhu_scheduler_congested_total",
        1.0,
        "Times that the scheduler could not keep up",
    ),
];

/// The long names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name)
}

/// Who told the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Teller {
    /// A scheduler that posts them and is never known to be gone.
    Post,
    /// The scheduler that is connected to the feed.
    Feed,
}

/// What was told last, shared by those who take it and the page that shows it.
#[derive(Debug, Clone)]
pub(super) struct Scheduler {
    last: Arc<Mutex<Option<(Teller, SchedulerMetrics)>>>,
    compat_names: bool,
    descs: Vec<Desc>,
}

impl Scheduler {
    pub(super) fn new(compat_names: bool) -> Result<Scheduler, prometheus::Error> {
        let mut scheduler = Scheduler { last: Arc::default(), compat_names, descs: Vec::new() };
        for family in scheduler.families(&SchedulerMetrics::default())? {
            let (name, help) = (family.name().to_owned(), family.help().to_owned());
            scheduler.descs.push(Desc::new(name, help, Vec::new(), HashMap::new())?);
        }
        Ok(scheduler)
    }

    /// Replaces what was told last, whoever told it.
    pub(super) fn take(&self, teller: Teller, metrics: SchedulerMetrics) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((teller, metrics));
    }

    /// Forgets what this one told, if it was the last.
    pub(super) fn forget(&self, teller: Teller) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.take().filter(|(told_by, _)| *told_by != teller);
    }

    fn families(&self, metrics: &SchedulerMetrics) -> Result<Vec<MetricFamily>, prometheus::Error> {
        let mut families = Vec::new();
        for row in &ROWS {
            #[expect(clippy::cast_precision_loss, reason = "the text format has doubles only")]
            let value = (row.value)(metrics) as f64;
            if self.compat_names {
                families.extend(gauge(row.short, row.help, value)?);
            }
            families.extend(if row.name.ends_with("_total") {
                counter(row.name, row.help, value * row.scale)?
            } else {
                gauge(row.name, row.help, value * row.scale)?
            });
        }
        Ok(families)
    }
}

pub(super) fn gauge(name: &str, help: &str, value: f64) -> Result<Vec<MetricFamily>, prometheus::Error> {
    let gauge = Gauge::new(name, help)?;
    gauge.set(value);
    Ok(gauge.collect())
}

pub(super) fn counter(name: &str, help: &str, value: f64) -> Result<Vec<MetricFamily>, prometheus::Error> {
    let counter = Counter::new(name, help)?;
    counter.inc_by(value);
    Ok(counter.collect())
}

impl Collector for Scheduler {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // The same names were accepted when the collector was made.
        last.and_then(|(_, metrics)| self.families(&metrics).ok()).unwrap_or_default()
    }
}
