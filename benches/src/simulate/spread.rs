//! Many times of one thing, and where most of them lie.

use std::fmt;
use std::time::Duration;

/// Times in seconds, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Spread(Vec<f64>);

impl Spread {
    /// The time that this part of all does not exceed: 0.99 for the 99th percentile. Not a number when there is none.
    pub(super) fn at(&self, part: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a few million times at most")]
        let rank = (self.0.len() as f64 * part).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank in a list that is in memory"
        )]
        let index = (rank as usize).saturating_sub(1);
        self.0.get(index).copied().unwrap_or(f64::NAN)
    }

    /// The time in the middle.
    pub(super) fn median(&self) -> f64 {
        self.at(0.5)
    }
}

impl FromIterator<Duration> for Spread {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut seconds: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64()).collect();
        seconds.sort_unstable_by(f64::total_cmp);
        Self(seconds)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |part| self.at(part) * 1e3;
        write!(f, "p50 {:.0} ms, p99 {:.0} ms, most {:.0} ms ({})", ms(0.5), ms(0.99), ms(1.0), self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_seen() {
        let spread: Spread = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(spread.to_string(), "p50 100 ms, p99 198 ms, most 200 ms (200)");
        assert!(Spread::default().at(0.99).is_nan());
        assert!((std::iter::once(Duration::from_secs(3)).collect::<Spread>().at(0.01) - 3.0).abs() < 1e-9);
    }
}
