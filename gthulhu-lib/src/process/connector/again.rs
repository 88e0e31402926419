//! When to look once more at children that were in no pod yet.
//!
//! The kernel tells of a fork before it has put the child into its cgroup (`copy_process` in `kernel/fork.c`: first
//! `proc_fork_connector`, then `cgroup_post_fork`); whoever looks in between finds it in the root, and no event follows.
//! It is about one fork of a thousand.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// From one look to the next. The kernel needs microseconds, unless who forks has to wait for a processor meanwhile.
const PAUSE: Duration = Duration::from_micros(250);

/// A timer that fires once each time it is set.
#[derive(Debug)]
pub(super) struct Again {
    timer: OwnedFd,
    is_set: bool,
}

impl Again {
    pub(super) fn new() -> Result<Self, Errno> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self { timer: timerfd_create(TimerfdClockId::Monotonic, flags)?, is_set: false })
    }

    /// Readable once it is time to look.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }

    /// Whether it is time. Says so once.
    pub(super) fn is_due(&mut self) -> bool {
        let fired = self.is_set && rustix::io::read(&self.timer, &mut [0; 8]).is_ok();
        self.is_set &= !fired;
        fired
    }

    /// Lets it be time after the pause, if it is not to be sooner.
    pub(super) fn set(&mut self) -> Result<(), Errno> {
        if !self.is_set {
            let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
            let pause = Timespec { tv_nsec: PAUSE.subsec_nanos().into(), ..zero };
            let once = Itimerspec { it_interval: zero, it_value: pause };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
            self.is_set = true;
        }
        Ok(())
    }
}
