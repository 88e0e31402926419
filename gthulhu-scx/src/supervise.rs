//! When to attach again after the kernel has removed the scheduler.
//!
//! A scheduler that keeps failing is worse than the kernel's own, and an administrator who removed it meant it. So
//! failures are tried again after a growing pause, three of them within ten minutes are the end of trying, and a removal
//! on purpose is respected for ten minutes. A change of the CPUs is no failure. There is no clock in here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Why the scheduler is not attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It failed, or the kernel found that it did.
    Failure,
    /// A CPU came or went, and the kernel asks for a fresh start.
    Hotplug,
    /// Somebody removed it: SysRq-S, or an administrator's tool.
    OnPurpose,
    /// Another scheduler is attached. It is never replaced.
    Busy,
    /// CPU limits could not be honoured, and the settings demand it.
    Limits,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Attach.
    Attach,
    /// Attach at that time.
    At(Instant),
    /// Leave scheduling to the kernel; go on with everything else.
    Never,
}

/// The pause after the first failure; it doubles up to [`PAUSE_MAX`].
pub const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause between attempts.
pub const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How many failures within [`FAILURES_WITHIN`] are too many.
pub const FAILURES_MAX: usize = 3;
/// See [`FAILURES_MAX`].
pub const FAILURES_WITHIN: Duration = Duration::from_secs(600);
/// How long a removal on purpose is respected.
pub const ON_PURPOSE: Duration = Duration::from_secs(600);

/// Decides about attaching.
#[derive(Debug)]
pub struct Supervisor {
    next: Next,
    failures: VecDeque<Instant>,
    /// Attempts in a row that found another scheduler or a failure.
    in_a_row: u32,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self { next: Next::Attach, failures: VecDeque::new(), in_a_row: 0 }
    }
}

impl Supervisor {
    /// What to do at this time.
    pub fn next(&self, now: Instant) -> Next {
        match self.next {
            Next::At(then) if then <= now => Next::Attach,
            next => next,
        }
    }

    /// The scheduler is attached. (Failures are counted over time, whatever lies between them.)
    pub fn attached(&mut self) {
        self.in_a_row = 0;
    }

    /// It is not, or not any more.
    pub fn ended(&mut self, why: Ended, now: Instant) {
        self.next = match why {
            Ended::Hotplug => Next::Attach,
            Ended::OnPurpose => Next::At(now + ON_PURPOSE),
            Ended::Busy | Ended::Limits => self.later(now),
            Ended::Failure => {
                self.failures.push_back(now);
                while self.failures.front().is_some_and(|&then| then + FAILURES_WITHIN <= now) {
                    self.failures.pop_front();
                }
                // Since an attempt that worked starts the pauses anew, the failures set the least of them.
                self.in_a_row = self.in_a_row.max(self.failures().saturating_sub(1));
                if self.failures.len() >= FAILURES_MAX { Next::Never } else { self.later(now) }
            }
        };
    }

    /// How many failures count now.
    pub fn failures(&self) -> u32 {
        u32::try_from(self.failures.len()).unwrap_or(u32::MAX)
    }

    fn later(&mut self, now: Instant) -> Next {
        let pause = PAUSE_MIN.saturating_mul(1 << self.in_a_row.min(10)).min(PAUSE_MAX);
        self.in_a_row = self.in_a_row.saturating_add(1);
        Next::At(now + pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// After how long the next attempt is due.
    fn pause(supervisor: &Supervisor, now: Instant) -> Option<Duration> {
        match supervisor.next(now) {
            Next::Attach => Some(Duration::ZERO),
            Next::At(then) => Some(then - now),
            Next::Never => None,
        }
    }

    #[test]
    fn the_third_failure_in_ten_minutes_is_the_last() {
        let start = Instant::now();
        let mut supervisor = Supervisor::default();
        assert_eq!(supervisor.next(start), Next::Attach);
        let mut pauses = Vec::new();
        for at in [0, 100, 599] {
            supervisor.attached();
            supervisor.ended(Ended::Failure, start + seconds(at));
            pauses.push(pause(&supervisor, start + seconds(at)));
        }
        assert_eq!(pauses, [Some(seconds(1)), Some(seconds(2)), None]);
        assert_eq!(supervisor.next(start + seconds(100_000)), Next::Never);
    }

    #[test]
    fn failures_that_lie_further_apart_are_tried_again() {
        let start = Instant::now();
        let mut supervisor = Supervisor::default();
        for round in 0..10 {
            let now = start + seconds(300 * round);
            supervisor.attached();
            supervisor.ended(Ended::Failure, now);
            assert_eq!(pause(&supervisor, now), Some(seconds(if round == 0 { 1 } else { 2 })), "{round}");
            assert_eq!(supervisor.failures(), if round == 0 { 1 } else { 2 });
        }
    }

    #[test]
    fn another_scheduler_is_waited_for_with_growing_pauses() {
        let mut now = Instant::now();
        let mut supervisor = Supervisor::default();
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            supervisor.ended(Ended::Busy, now);
            assert_eq!(pause(&supervisor, now), Some(seconds(expected)));
            now += seconds(expected);
            assert_eq!(supervisor.next(now), Next::Attach);
        }
        supervisor.attached();
        supervisor.ended(Ended::Busy, now);
        assert_eq!(pause(&supervisor, now), Some(seconds(1)), "an attempt that worked starts anew");
    }

    #[test]
    fn a_removal_on_purpose_is_respected_and_a_change_of_cpus_is_none() {
        let now = Instant::now();
        let mut supervisor = Supervisor::default();
        for _ in 0..20 {
            supervisor.attached();
            supervisor.ended(Ended::Hotplug, now);
            assert_eq!(supervisor.next(now), Next::Attach);
        }
        supervisor.ended(Ended::OnPurpose, now);
        assert_eq!(pause(&supervisor, now), Some(seconds(600)));
        assert_eq!(supervisor.next(now + seconds(599)), Next::At(now + ON_PURPOSE));
        assert_eq!(supervisor.next(now + seconds(600)), Next::Attach);
    }
}
