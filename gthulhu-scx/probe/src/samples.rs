//! A set of latencies and what is told of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// From here on a wake-up counts as late.
const LATE: u64 = 1_000_000;

/// What a set of latencies comes to. Times are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many latencies there were.
    pub samples: usize,
    /// The median.
    pub p50_us: f64,
    /// Nine in ten are at most this.
    pub p90_us: f64,
    /// 99 in a hundred are at most this.
    pub p99_us: f64,
    /// 999 in a thousand are at most this.
    pub p99_9_us: f64,
    /// The longest.
    pub max_us: f64,
    /// The mean.
    pub mean_us: f64,
    /// The share of latencies above one millisecond, 0 to 1.
    pub over_1ms: f64,
}

impl Summary {
    /// Summarises latencies in nanoseconds. Without any, every figure is zero.
    pub fn of(mut latencies: Vec<u64>) -> Summary {
        latencies.sort_unstable();
        let count = latencies.len();
        let late = count - latencies.partition_point(|latency| *latency <= LATE);
        let sum: u64 = latencies.iter().sum();
        Summary {
            samples: count,
            p50_us: rank(&latencies, 500),
            p90_us: rank(&latencies, 900),
            p99_us: rank(&latencies, 990),
            p99_9_us: rank(&latencies, 999),
            max_us: rank(&latencies, 1000),
            mean_us: ratio(sum, count as u64) / 1000.0,
            over_1ms: ratio(late as u64, count as u64),
        }
    }
}

/// The smallest latency that at least `per_mille` thousandths of all do not exceed (nearest rank), in microseconds.
fn rank(sorted: &[u64], per_mille: usize) -> f64 {
    let at = (sorted.len() * per_mille).div_ceil(1000);
    sorted.get(at.saturating_sub(1)).map_or(0.0, |nanoseconds| ratio(*nanoseconds, 1000))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people, of a few digits")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "p50 {:.1}  p90 {:.1}  p99 {:.1}  p99.9 {:.1}  max {:.1} us  over 1 ms {:.2} %  ({} samples)",
            self.p50_us,
            self.p90_us,
            self.p99_us,
            self.p99_9_us,
            self.max_us,
            self.over_1ms * 100.0,
            self.samples
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_samples_that_were_taken() {
        let summary = Summary::of((1..=1000).rev().map(|us| us * 1000).collect());
        assert_eq!(
            (summary.p50_us, summary.p90_us, summary.p99_us, summary.p99_9_us, summary.max_us),
            (500.0, 900.0, 990.0, 999.0, 1000.0)
        );
        assert!((summary.mean_us - 500.5).abs() < 1e-9);
    }

    #[test]
    fn one_sample_is_every_rank() {
        let summary = Summary::of(vec![2_500]);
        assert_eq!((summary.p50_us, summary.p99_9_us, summary.max_us), (2.5, 2.5, 2.5));
    }

    #[test]
    fn late_begins_above_a_millisecond() {
        assert!((Summary::of(vec![0, 999_999, 1_000_000, 1_000_001]).over_1ms - 0.25).abs() < 1e-9);
    }

    #[test]
    fn nothing_measured_is_zero_and_says_so() {
        let summary = Summary::of(Vec::new());
        assert_eq!((summary.samples, summary.p99_us, summary.over_1ms), (0, 0.0, 0.0));
    }
}
