//! Monotonic nanoseconds, and sleeping until one of them.

use std::num::NonZeroU64;

use rustix::io::Errno;
use rustix::thread::{ClockId, clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{Timespec, clock_gettime};

const SECOND: u64 = 1_000_000_000;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or(0) * SECOND + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Sleeps until the monotonic clock shows `deadline` nanoseconds, however often a signal wakes it.
pub fn sleep_until(deadline: u64) {
    let time = Timespec {
        tv_sec: i64::try_from(deadline / SECOND).unwrap_or(i64::MAX),
        tv_nsec: (deadline % SECOND).cast_signed(),
    };
    while clock_nanosleep_absolute(ClockId::Monotonic, &time) == Err(Errno::INTR) {}
}

/// Sleeps for this many nanoseconds.
pub fn sleep(nanoseconds: u64) {
    sleep_until(now() + nanoseconds);
}

/// Asks for timers of this thread that fire when they are due: by default the kernel may be 50 us late, which hides
/// what a scheduler does.
pub fn exact_timers() -> Result<(), Errno> {
    set_current_timer_slack(NonZeroU64::new(1))
}
