//! The numbers that the machine works by, and its chance.

use std::time::Duration;

/// The machine's limits and delays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long a change waits for others to join it, counted from the first of them.
    pub debounce: Duration,
    /// How many calls to nodes in good standing run at a time.
    pub concurrency: usize,
    /// How many calls to nodes that failed to answer are begun at a time. They only wait, so more are allowed.
    pub probes: usize,
    /// After this time an unanswered call no longer counts as one of `concurrency`, so that a crowd of nodes
    /// that hang at the same moment holds the others up for moments only.
    pub patience: Duration,
    /// After this time a call has failed.
    pub deadline: Duration,
    /// First delay after a failure; it doubles with each further one.
    pub backoff_min: Duration,
    /// Longest delay before trying a node that does not answer: what a node may wait for after coming back.
    pub backoff_max: Duration,
    /// A node in agreement is compared this often, less up to a tenth so that nodes spread out. Also the longest
    /// delay before repeating what a node answered with an error.
    pub compare_every: Duration,
    /// Start of the jitter's sequence.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            debounce: Duration::from_millis(10),
            concurrency: 64,
            probes: 512,
            patience: Duration::from_millis(100),
            deadline: Duration::from_secs(5),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(1),
            compare_every: Duration::from_secs(30),
            seed: 0,
        }
    }
}

impl Options {
    /// The delay after the `failures`-th failure in a row, at most `max`, half to whole.
    pub(super) fn backoff(&self, failures: u32, max: Duration, jitter: &mut Jitter) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let whole = self.backoff_min.saturating_mul(1 << doublings).min(max);
        whole.mul_f64(jitter.between(0.5, 1.0))
    }

    /// The delay until the next comparison of a node in agreement.
    pub(super) fn until_comparison(&self, jitter: &mut Jitter) -> Duration {
        self.compare_every.mul_f64(jitter.between(0.9, 1.0))
    }
}

/// A small generator (SplitMix64): equal seeds give equal runs, and nothing secret hangs on it.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number in `low..high`.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let top = u32::try_from(mixed >> 32).expect("32 bits remain");
        low + (high - low) * (f64::from(top) / (f64::from(u32::MAX) + 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_between_its_ends_and_never_leaves_them() {
        let options = Options::default();
        let mut jitter = Jitter::new(7);
        for (failures, whole_ms) in
            [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (50, 1000), (u32::MAX, 1000)]
        {
            for _ in 0..100 {
                let delay = options.backoff(failures, options.backoff_max, &mut jitter);
                let whole = Duration::from_millis(whole_ms);
                assert!(delay >= whole / 2 && delay <= whole, "failure {failures}: {delay:?}");
            }
        }
    }

    #[test]
    fn equal_seeds_give_equal_jitter_and_other_seeds_another() {
        let draw = |seed| {
            let mut jitter = Jitter::new(seed);
            [0; 8].map(|_| jitter.between(0.0, 1.0).to_bits())
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
