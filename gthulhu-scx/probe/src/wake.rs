//! The latency probe: threads that sleep until a moment and note how much later they run.
//!
//! The moments are absolute, so that being late once does not shift the next one, and irregular, so that they do not keep
//! step with the kernel's tick. What is noted includes the timer, the interrupt and the switch to the thread.

use std::thread;

use rustix::mm::{MlockAllFlags, mlockall};

use crate::clock;
use crate::samples::Summary;

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Threads that are woken, each on its own.
    pub threads: usize,
    /// The mean time from one wake-up to the next, in nanoseconds.
    pub period: u64,
    /// The time is drawn from `period - jitter` to `period + jitter`; at most `period`.
    pub jitter: u64,
    /// How many wake-ups each thread measures.
    pub count: usize,
}

/// Wake-ups that each thread goes through first, unnoted: they touch what the others need.
const WARM_UP: usize = 20;

/// Measures, in as many threads as asked for, and summarises all their latencies. Memory is locked first where that is
/// permitted.
pub fn measure(options: Options) -> Summary {
    // Not permitted is no failure: a page that goes away shows in the figures.
    let _ = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
    let threads: Vec<_> = (0..options.threads.max(1))
        .map(|number| thread::spawn(move || latencies(options, number as u64)))
        .collect();
    let all = threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect();
    Summary::of(all)
}

fn latencies(options: Options, number: u64) -> Vec<u64> {
    // Without the permission, latencies are up to 50 us higher; there is none that would be needed.
    let _ = clock::exact_timers();
    let mut random = Random::new(number);
    let mut noted = vec![0; options.count];
    let mut deadline = clock::now();
    for turn in 0..WARM_UP + options.count {
        deadline +=
            options.period - options.jitter.min(options.period) + random.below(2 * options.jitter + 1);
        clock::sleep_until(deadline);
        let awake = clock::now();
        if let Some(slot) = turn.checked_sub(WARM_UP).and_then(|turn| noted.get_mut(turn)) {
            *slot = awake.saturating_sub(deadline);
        }
        // Being later than a whole period would make the next wake-up no wake-up at all.
        deadline = deadline.max(awake);
    }
    noted
}

/// A small generator whose numbers are the same in every run (xorshift, 64 bits).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(0x9E37_79B9_7F4A_7C15 ^ (seed + 1).wrapping_mul(0xBF58_476D_1CE4_E5B9))
    }

    /// A number from 0 to `limit - 1`; `limit` is at least 1.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_notes_every_wake_up() {
        let options = Options { threads: 3, period: 200_000, jitter: 200_000, count: 50 };
        let summary = measure(options);
        assert_eq!(summary.samples, 150);
        assert!(summary.max_us >= summary.p50_us && summary.p50_us > 0.0);
    }

    #[test]
    fn moments_stay_within_their_bounds_and_differ() {
        let mut random = Random::new(0);
        let drawn: Vec<u64> = (0..1000).map(|_| random.below(2001)).collect();
        assert!(drawn.iter().all(|number| *number <= 2000));
        assert!(drawn.iter().any(|number| *number < 100) && drawn.iter().any(|number| *number > 1900));
    }
}
