//! What a running scheduler counts: what `stats` prints.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gthulhu_lib::wire::feed;
use serde::{Deserialize, Serialize};

use crate::maps::{CgroupCounters, Waits};

/// Everything that `stats` tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// The counters as a decision maker gets them.
    #[serde(flatten)]
    pub counters: feed::Counters,
    /// Bounds of waits in microseconds, by kind of task (`governed`, `normal`) and share (`p50`, `p99`, `p999`).
    pub wait_us: BTreeMap<String, BTreeMap<String, u64>>,
    /// Counters of the cgroups that have a rule, by path.
    pub cgroups: BTreeMap<String, CgroupCounters>,
    /// Why the scheduler was last detached, if it ever was.
    pub last_exit: Option<String>,
    /// When these were read, in monotonic nanoseconds.
    pub at_ns: u64,
}

/// The shares whose bounds are told, in thousandths.
const SHARES: [(&str, u64); 3] = [("p50", 500), ("p99", 990), ("p999", 999)];

/// The bounds of one histogram; empty while it has no waits.
pub fn bounds(waits: &Waits) -> BTreeMap<String, u64> {
    SHARES.iter().filter_map(|&(name, share)| Some((name.to_owned(), waits.permille_us(share)?))).collect()
}

impl Stats {
    /// A table for people. With an earlier reading, what only grows is shown for a second of the time between.
    pub fn table(&self, earlier: Option<&Stats>) -> String {
        let mut text = String::new();
        let state = serde_json::to_value(self.counters.state).unwrap_or_default();
        // Writing to a text cannot fail, here and below.
        let _ = writeln!(text, "{:<28}{:>16}{:>14}", state.as_str().unwrap_or_default(), "now", "per second");
        let now = self.values();
        let before = earlier.map(Stats::values).unwrap_or_default();
        let seconds = earlier.map_or(0.0, |earlier| seconds(self.at_ns.saturating_sub(earlier.at_ns)));
        for (name, value) in &now {
            let rate = match before.get(name) {
                Some(before) if grows(name) && seconds > 0.0 => {
                    format!("{:.1}", precise(value.saturating_sub(*before)) / seconds)
                }
                _ => String::new(),
            };
            let _ = writeln!(text, "{name:<28}{value:>16}{rate:>14}");
        }
        for (kind, bounds) in &self.wait_us {
            let told: Vec<String> = bounds.iter().map(|(share, us)| format!("{share} <= {us} us")).collect();
            let _ = writeln!(text, "waits of {kind} tasks: {}", told.join(", "));
        }
        text
    }

    fn values(&self) -> BTreeMap<String, u64> {
        let metrics = serde_json::to_value(self.counters.metrics).unwrap_or_default();
        let eleven = metrics.as_object().into_iter().flatten();
        let eleven = eleven.filter_map(|(name, value)| Some((name.clone(), value.as_u64()?)));
        eleven.chain(self.counters.more.clone()).collect()
    }
}

/// Whether a number only ever grows; the others are gauges.
fn grows(name: &str) -> bool {
    name.ends_with("_total") || name.ends_with("_dispatches") || name == "nr_sched_congested"
}

fn seconds(nanoseconds: u64) -> f64 {
    precise(nanoseconds) / 1e9
}

/// As near as a table needs it.
#[expect(clippy::cast_precision_loss, reason = "fifteen digits are more than the table shows")]
fn precise(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(dispatches: u64, at_seconds: u64) -> Stats {
        let mut stats = Stats { at_ns: at_seconds * 1_000_000_000, ..Stats::default() };
        stats.counters.metrics.nr_user_dispatches = dispatches;
        stats.counters.metrics.nr_queued = dispatches;
        stats.counters.more.insert("preemptions_total".to_owned(), dispatches / 2);
        stats
    }

    fn row(table: &str, name: &str) -> Vec<String> {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn counters_have_a_rate_and_gauges_have_none() {
        let table = stats(300, 12).table(Some(&stats(100, 2)));
        assert_eq!(row(&table, "nr_user_dispatches"), ["300", "20.0"]);
        assert_eq!(row(&table, "preemptions_total"), ["150", "10.0"]);
        assert_eq!(row(&table, "nr_queued"), ["300"]);
        assert_eq!(row(&stats(300, 12).table(None), "nr_user_dispatches"), ["300"]);
        assert_eq!(
            row(&stats(1, 3).table(Some(&stats(5, 2))), "nr_user_dispatches"),
            ["1", "0.0"],
            "it began anew"
        );
    }

    #[test]
    fn waits_are_told_by_their_bounds() {
        let mut waits = Waits::default();
        assert!(bounds(&waits).is_empty());
        waits.buckets[0] = 98;
        waits.buckets[5] = 2;
        let told: Vec<(String, u64)> = bounds(&waits).into_iter().collect();
        assert_eq!(told, [("p50".to_owned(), 1), ("p99".to_owned(), 32), ("p999".to_owned(), 32)]);
    }

    #[test]
    fn the_eleven_keep_their_names() {
        let json = serde_json::to_value(stats(1, 1)).unwrap();
        assert_eq!(json["metrics"].as_object().unwrap().len(), 11);
        assert_eq!(serde_json::from_value::<Stats>(json).unwrap(), stats(1, 1));
    }
}
