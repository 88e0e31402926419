//! What the scheduler tells by the feed beyond the counters that every scheduler has.
//!
//! The names are the scheduler's own, so that it can count something new without a change here; they are held to a
//! form and to a number. While no scheduler is connected there is nothing but the fact that none is attached: an old
//! value would not say how old it is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use gthulhu_lib::wire::feed::{Counters, SchedulerState, Waits};
use prometheus::{
    core::{Collector, Desc},
    proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use super::scheduler::{self, counter, gauge};

/// What all names begin with.
const PREFIX: &str = "gthulhu_scheduler_";
const ATTACHED: (&str, &str) = ("gthulhu_scheduler_attached", "Whether the scheduler schedules, 0 or 1");
const WAITS: (&str, &str) = (
    "gthulhu_scheduler_wait_seconds",
    "How long tasks waited for a CPU, by kind of task; the sum is estimated from the buckets",
);

/// Names, kinds of waits and buckets beyond these are left out.
const NAMES_MAX: usize = 64;
const KINDS_MAX: usize = 8;
const BUCKETS_MAX: usize = 40;
const NAME_BYTES_MAX: usize = 64;

/// The last report, shared by the feed that takes it and the page that shows it.
#[derive(Debug, Clone)]
pub(super) struct Report {
    last: Arc<Mutex<Last>>,
    descs: Vec<Desc>,
}

#[derive(Debug, Default)]
enum Last {
    /// No scheduler was ever connected.
    #[default]
    Never,
    /// None is connected.
    Gone,
    Told(Counters),
}

impl Report {
    pub(super) fn new() -> Result<Report, prometheus::Error> {
        let desc = |(name, help): (&str, &str)| {
            Desc::new(name.to_owned(), help.to_owned(), Vec::new(), HashMap::new())
        };
        Ok(Report { last: Arc::default(), descs: vec![desc(ATTACHED)?, desc(WAITS)?] })
    }

    pub(super) fn take(&self, counters: Counters) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Last::Told(counters);
    }

    pub(super) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Last::Gone;
    }

    fn families(counters: &Counters) -> Result<Vec<MetricFamily>, prometheus::Error> {
        let mut families = attached(counters.state == SchedulerState::Attached)?;
        let names = counters.more.iter().filter(|(name, _)| is_free(name));
        for (name, &value) in names.take(NAMES_MAX) {
            #[expect(clippy::cast_precision_loss, reason = "the text format has doubles only")]
            let value = value as f64;
            let (name, help) = (format!("{PREFIX}{name}"), "As the scheduler counts it");
            let is_counter = name.ends_with("_total");
            families.extend(if is_counter {
                counter(&name, help, value)?
            } else {
                gauge(&name, help, value)?
            });
        }
        let kinds = counters.waits.iter().filter(|(kind, _)| is_name(kind)).take(KINDS_MAX);
        let metrics: Vec<Metric> = kinds.map(|(kind, waits)| histogram(kind, waits)).collect();
        if !metrics.is_empty() {
            let mut family = MetricFamily::default();
            family.set_name(WAITS.0.to_owned());
            family.set_help(WAITS.1.to_owned());
            family.set_field_type(MetricType::HISTOGRAM);
            family.set_metric(metrics);
            families.push(family);
        }
        Ok(families)
    }
}

impl Collector for Report {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let families = match &*self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            Last::Never => return Vec::new(),
            Last::Gone => attached(false),
            Last::Told(counters) => Report::families(counters),
        };
        // Every name was looked at, and nothing else can be refused.
        families.unwrap_or_default()
    }
}

fn attached(is_attached: bool) -> Result<Vec<MetricFamily>, prometheus::Error> {
    gauge(ATTACHED.0, ATTACHED.1, if is_attached { 1.0 } else { 0.0 })
}

/// Lower-case words joined by `_`.
fn is_name(name: &str) -> bool {
    let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= NAME_BYTES_MAX
        && name.bytes().all(small)
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
}

/// A name that nothing else on the page has.
fn is_free(name: &str) -> bool {
    let taken = [ATTACHED.0, WAITS.0].into_iter().chain(scheduler::names());
    let of_waits = ["wait_seconds_bucket", "wait_seconds_sum", "wait_seconds_count"];
    is_name(name)
        && !of_waits.contains(&name)
        && !taken.into_iter().any(|taken| taken.strip_prefix(PREFIX) == Some(name))
}

#[expect(clippy::cast_precision_loss, reason = "the text format has doubles only")]
fn histogram(kind: &str, waits: &Waits) -> Metric {
    let (mut count, mut sum, mut bound, mut buckets) = (0_u64, 0.0, 1e-6, Vec::new());
    let bounded = waits.buckets.len().saturating_sub(1).min(BUCKETS_MAX);
    for (index, &waited) in waits.buckets.iter().enumerate() {
        count = count.saturating_add(waited);
        // In the middle between the bounds, on the average.
        sum += waited as f64 * bound * 0.75;
        if index < bounded {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            buckets.push(bucket);
            bound *= 2.0;
        }
    }
    let mut histogram = Histogram::default();
    histogram.set_sample_count(count);
    histogram.set_sample_sum(sum);
    histogram.set_bucket(buckets);
    let mut label = LabelPair::default();
    label.set_name("kind".to_owned());
    label.set_value(kind.to_owned());
    let mut metric = Metric::from_label(vec![label]);
    metric.set_histogram(histogram);
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_to_their_form() {
        for (name, free) in [
            ("preemptions_total", true),
            ("governed_tasks", true),
            ("", false),
            ("_x", false),
            ("9x", false),
            ("Upper", false),
            ("a b", false),
            ("a\nb", false),
            ("attached", false),
            ("wait_seconds_sum", false),
            ("queued_tasks", false),
            ("user_dispatches_total", false),
        ] {
            assert_eq!(is_free(name), free, "{name}");
        }
        assert!(!is_free(&"x".repeat(NAME_BYTES_MAX + 1)));
    }

    #[test]
    fn a_report_without_bounds_makes_a_page_with_bounds() {
        let more = (0..1000).map(|number| (format!("n{number}"), 1)).collect();
        let waits = Waits { buckets: vec![u64::MAX; 1000] };
        let waits = (0..100).map(|number| (format!("k{number}"), waits.clone())).collect();
        let families = Report::families(&Counters { more, waits, ..Counters::default() }).unwrap();
        assert_eq!(families.len(), 1 + NAMES_MAX + 1);
        let metrics = families.last().unwrap().get_metric();
        assert_eq!(metrics.len(), KINDS_MAX);
        assert!(metrics.iter().all(|metric| metric.get_histogram().get_bucket().len() == BUCKETS_MAX));
    }
}
