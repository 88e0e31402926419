//! `/metrics`: what the decision maker counts, in base units, and the scheduler's own counters.

use std::{collections::HashMap, time::Duration};

use gthulhu_lib::wire::{SchedulerMetrics, feed::Counters};
use prometheus::{Error, Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry, core::Collector};

mod process;
mod report;
mod scheduler;

use process::Process;
use report::Report;
use scheduler::{Scheduler, Teller};

/// Every series of this process. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    scheduler: Scheduler,
    report: Report,
    /// What the feed counts.
    pub feed: FeedMetrics,
    /// Intents held, duplicates included.
    pub intents: IntGauge,
    /// Tasks that have a strategy, threads included.
    pub governed_tasks: IntGauge,
    /// Processes seen in the last scan whose cgroup names more than one pod.
    pub refused_cgroups: IntGauge,
    /// Processes seen in the last scan that could not be read.
    pub unreadable_processes: IntGauge,
    /// Epoch of the last numbered push; 0 before it.
    pub epoch: IntGauge,
    /// Generation of the last numbered push; 0 before it.
    pub generation: IntGauge,
    /// Pushes accepted.
    pub pushes: IntCounter,
    /// Pushes refused because a newer set is held.
    pub superseded_pushes: IntCounter,
    /// Scans that failed as a whole.
    pub scan_failures: IntCounter,
    scan_seconds: Histogram,
}

/// The series of the feed.
#[derive(Debug, Clone)]
pub struct FeedMetrics {
    /// Schedulers and monitors that are connected.
    pub peers: IntGauge,
    /// Connections that came to nothing.
    pub refused: IntCounter,
    /// Events told by peers.
    pub events: IntCounter,
    /// Events that peers could not tell.
    pub lost_events: IntCounter,
}

impl FeedMetrics {
    fn new(registry: &Registry) -> Result<FeedMetrics, Error> {
        let counter = |name: &str, help: &str| keep(registry, IntCounter::new(name, help)?);
        Ok(FeedMetrics {
            peers: keep(
                registry,
                IntGauge::new("gthulhu_dm_feed_peers", "Schedulers and monitors connected")?,
            )?,
            refused: counter(
                "gthulhu_dm_feed_refused_total",
                "Connections to the feed that came to nothing",
            )?,
            events: counter("gthulhu_dm_feed_events_total", "Events told by the feed")?,
            lost_events: counter("gthulhu_dm_feed_lost_events_total", "Events that could not be told")?,
        })
    }
}

/// Scans take about a millisecond per thousand processes; the last bound is far beyond any node.
const SCAN_SECONDS: [f64; 8] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

impl Metrics {
    /// The series of a node. Every one of ours carries `machine_id`.
    pub fn new(machine_id: &str, compat_names: bool) -> Result<Metrics, Error> {
        let labels = HashMap::from([("machine_id".to_owned(), machine_id.to_owned())]);
        let registry = Registry::new_custom(None, Some(labels))?;
        let scheduler = keep(&registry, Scheduler::new(compat_names)?)?;
        let report = keep(&registry, Report::new()?)?;
        let feed = FeedMetrics::new(&registry)?;
        keep(&registry, Process::new()?)?;
        keep(&registry, build_info()?)?;
        let gauge = |name: &str, help: &str| keep(&registry, IntGauge::new(name, help)?);
        let counter = |name: &str, help: &str| keep(&registry, IntCounter::new(name, help)?);
        let scan = HistogramOpts::new("gthulhu_dm_scan_seconds", "How long looking up processes took")
            .buckets(SCAN_SECONDS.to_vec());
        Ok(Metrics {
            scheduler,
            report,
            feed,
            intents: gauge("gthulhu_dm_intents", "Intents held")?,
            governed_tasks: gauge("gthulhu_dm_governed_tasks", "Tasks that have a strategy")?,
            refused_cgroups: gauge(
                "gthulhu_dm_refused_cgroups",
                "Processes of the last scan whose cgroup names more than one pod",
            )?,
            unreadable_processes: gauge(
                "gthulhu_dm_unreadable_processes",
                "Processes of the last scan that could not be read",
            )?,
            epoch: gauge("gthulhu_dm_epoch", "Epoch of the set held, 0 before the first numbered push")?,
            generation: gauge(
                "gthulhu_dm_generation",
                "Generation of the set held, 0 before the first numbered push",
            )?,
            pushes: counter("gthulhu_dm_pushes_total", "Pushes accepted")?,
            superseded_pushes: counter(
                "gthulhu_dm_superseded_pushes_total",
                "Pushes refused because a newer set is held",
            )?,
            scan_failures: counter("gthulhu_dm_scan_failures_total", "Scans that failed as a whole")?,
            scan_seconds: keep(&registry, Histogram::with_opts(scan)?)?,
            registry,
        })
    }

    /// Takes the counters that a scheduler posts: who tells them last wins.
    pub fn post(&self, metrics: SchedulerMetrics) {
        self.scheduler.take(Teller::Post, metrics);
    }

    /// Takes the counters of the scheduler that is connected to the feed: who tells them last wins.
    pub fn report(&self, counters: Counters) {
        self.scheduler.take(Teller::Feed, counters.metrics);
        self.report.take(counters);
    }

    /// The scheduler that was connected to the feed is gone, and its counters with it.
    pub fn unreport(&self) {
        self.scheduler.forget(Teller::Feed);
        self.report.forget();
    }

    /// Counts a scan that took this long.
    pub fn scanned(&self, took: Duration) {
        self.scan_seconds.observe(took.as_secs_f64());
    }

    /// Shows these series too.
    pub fn add(&self, collectors: Vec<Box<dyn Collector>>) -> Result<(), Error> {
        collectors.into_iter().try_for_each(|collector| self.registry.register(collector))
    }

    /// What `/metrics` shows.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

/// Registers a collector and hands it back.
fn keep<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn build_info() -> Result<IntGauge, Error> {
    let version = env!("CARGO_PKG_VERSION");
    let opts = Opts::new("gthulhu_build_info", "Always 1; the labels say what is running")
        .const_label("component", "dm")
        .const_label("version", version);
    let info = IntGauge::with_opts(opts)?;
    info.set(1);
    Ok(info)
}

#[cfg(test)]
mod tests {
    use gthulhu_lib::wire::feed::{SchedulerState, Waits};
    use prometheus::TextEncoder;

    use super::*;

    fn page(metrics: &Metrics) -> String {
        TextEncoder::new().encode_to_string(&metrics.registry().gather()).unwrap()
    }

    fn posted() -> SchedulerMetrics {
        SchedulerMetrics {
            usersched_last_run_at: 2_500_000_000,
            nr_queued: 2,
            nr_scheduled: 3,
            nr_running: 4,
            nr_online_cpus: 5,
            nr_user_dispatches: 6,
            nr_kernel_dispatches: 7,
            nr_cancel_dispatches: 8,
            nr_bounce_dispatches: 9,
            nr_failed_dispatches: 10,
            nr_sched_congested: 11,
        }
    }

    #[test]
    fn the_schedulers_counters_appear_with_its_first_post() {
        let metrics = Metrics::new("node-1", true).unwrap();
        assert!(!page(&metrics).contains("nr_"), "nothing was posted yet");
        metrics.post(SchedulerMetrics::default());
        metrics.post(posted());
        let page = page(&metrics);
        for line in [
            "user_sched_last_run_at{machine_id=\"node-1\"} 2500000000",
            "nr_queued{machine_id=\"node-1\"} 2",
            "nr_scheduled{machine_id=\"node-1\"} 3",
            "nr_running{machine_id=\"node-1\"} 4",
            "nr_online_cpus{machine_id=\"node-1\"} 5",
            "nr_user_dispatches{machine_id=\"node-1\"} 6",
            "nr_kernel_dispatches{machine_id=\"node-1\"} 7",
            "nr_cancel_dispatches{machine_id=\"node-1\"} 8",
            "nr_bounce_dispatches{machine_id=\"node-1\"} 9",
            "nr_failed_dispatches{machine_id=\"node-1\"} 10",
            "nr_sched_congested{machine_id=\"node-1\"} 11",
            "# TYPE nr_user_dispatches gauge",
            "gthulhu_scheduler_last_run_seconds{machine_id=\"node-1\"} 2.5",
            "gthulhu_scheduler_user_dispatches_total{machine_id=\"node-1\"} 6",
            "# TYPE gthulhu_scheduler_user_dispatches_total counter",
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn counters_of_the_feed_are_shown_while_their_scheduler_is_there() {
        let metrics = Metrics::new("node-1", true).unwrap();
        assert!(!page(&metrics).contains("gthulhu_scheduler_"), "no scheduler was ever there");
        let waits = Waits { buckets: vec![4, 2, 1] };
        metrics.report(Counters {
            state: SchedulerState::Attached,
            metrics: posted(),
            more: [("preemptions_total".to_owned(), 9), ("governed_tasks".to_owned(), 3)].into(),
            waits: [("governed".to_owned(), waits)].into(),
            ..Counters::default()
        });
        let shown = page(&metrics);
        for line in [
            "nr_queued{machine_id=\"node-1\"} 2",
            "gthulhu_scheduler_user_dispatches_total{machine_id=\"node-1\"} 6",
            "gthulhu_scheduler_attached{machine_id=\"node-1\"} 1",
            "# TYPE gthulhu_scheduler_preemptions_total counter",
            "gthulhu_scheduler_preemptions_total{machine_id=\"node-1\"} 9",
            "# TYPE gthulhu_scheduler_governed_tasks gauge",
            "gthulhu_scheduler_wait_seconds_bucket{kind=\"governed\",machine_id=\"node-1\",le=\"0.000001\"} 4",
            "gthulhu_scheduler_wait_seconds_bucket{kind=\"governed\",machine_id=\"node-1\",le=\"0.000002\"} 6",
            "gthulhu_scheduler_wait_seconds_bucket{kind=\"governed\",machine_id=\"node-1\",le=\"+Inf\"} 7",
            "gthulhu_scheduler_wait_seconds_count{kind=\"governed\",machine_id=\"node-1\"} 7",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
        }
        metrics.unreport();
        let shown = page(&metrics);
        assert!(shown.contains("gthulhu_scheduler_attached{machine_id=\"node-1\"} 0"), "{shown}");
        assert!(!shown.contains("nr_queued") && !shown.contains("preemptions"), "{shown}");
        metrics.post(posted());
        metrics.unreport();
        assert!(page(&metrics).contains("nr_queued"), "what another scheduler posted stays");
    }

    #[test]
    fn short_names_can_be_left_out() {
        let metrics = Metrics::new("node-1", false).unwrap();
        metrics.post(posted());
        let page = page(&metrics);
        assert!(!page.contains("\nnr_queued"), "{page}");
        assert!(page.contains("gthulhu_scheduler_queued_tasks{machine_id=\"node-1\"} 2"), "{page}");
    }

    #[test]
    fn our_own_counters_are_there_from_the_start() {
        let metrics = Metrics::new("node-1", true).unwrap();
        metrics.scanned(Duration::from_millis(2));
        let page = page(&metrics);
        for start in [
            "gthulhu_build_info{component=\"dm\",version=\"",
            "gthulhu_dm_intents{machine_id=\"node-1\"} 0",
            "gthulhu_dm_governed_tasks{machine_id=\"node-1\"} 0",
            "gthulhu_dm_refused_cgroups{machine_id=\"node-1\"} 0",
            "gthulhu_dm_scan_seconds_count{machine_id=\"node-1\"} 1",
            "process_resident_memory_bytes{machine_id=\"node-1\"} ",
            "process_cpu_seconds_total{machine_id=\"node-1\"} ",
            "process_start_time_seconds{machine_id=\"node-1\"} ",
            "process_open_fds{machine_id=\"node-1\"} ",
        ] {
            assert!(page.lines().any(|shown| shown.starts_with(start)), "{start} is not in\n{page}");
        }
    }
}
