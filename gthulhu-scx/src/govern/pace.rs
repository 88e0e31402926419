//! How often things are done: what is needed at once is done at once, and a storm costs no more than it has to.

use std::time::{Duration, Instant};

use super::{Clock, RETRY};

/// Between two publications at least.
pub(super) const PUBLISH_GAP: Duration = Duration::from_millis(100);
/// Between two looks at the processes at least.
const WALK_GAP: Duration = Duration::from_millis(100);
/// Where no rule depends on the processes there is less hurry.
const IDLE_WALK_GAP: Duration = Duration::from_secs(1);
/// A look may take this part of the time at most: pods with thousands of processes take a while to look at.
const WALK_SHARE: u32 = 20;
/// Between two looks for named processes that have ended.
const SWEEP_GAP: Duration = Duration::from_secs(5);
/// Between two looks at everything without a reason.
const REPAIR_GAP: Duration = Duration::from_secs(60);

/// See the module. Times are those before which something is not done again.
pub(super) struct Pace {
    clock: Clock,
    poll: Duration,
    /// Whether some rules follow from processes, so that these have to be looked at without being told to.
    polling: bool,
    /// Whether the table of other programs follows from processes.
    sharing: bool,
    publish: Instant,
    walk: Instant,
    poll_walk: Instant,
    sweep: Instant,
    repair: Instant,
    /// When it was last asked whether something may be done.
    started: Instant,
}

impl Pace {
    pub(super) fn new(clock: Clock, poll: Duration) -> Self {
        let now = clock();
        let (polling, sharing) = (false, false);
        Self {
            clock,
            poll,
            polling,
            sharing,
            publish: now,
            walk: now,
            poll_walk: now + poll,
            sweep: now + SWEEP_GAP,
            repair: now + REPAIR_GAP,
            started: now,
        }
    }

    /// When something may be done, given what is waiting.
    pub(super) fn due(&self, rules: bool, processes: bool) -> Instant {
        let mut due = self.sweep;
        if rules {
            due = due.min(self.publish);
        }
        if processes {
            due = due.min(self.walk);
        }
        if self.polling || self.sharing {
            due = due.min(self.poll_walk);
        }
        due
    }

    pub(super) fn may_publish(&mut self) -> bool {
        let now = self.now();
        self.started = now;
        now >= self.publish
    }

    pub(super) fn may_walk(&mut self, wanted: bool) -> bool {
        let now = self.now();
        self.started = now;
        wanted && now >= self.walk || (self.polling || self.sharing) && now >= self.poll_walk
    }

    pub(super) fn may_sweep(&mut self) -> bool {
        let now = self.now();
        let may = now >= self.sweep;
        if may {
            self.sweep = now + SWEEP_GAP;
        }
        may
    }

    pub(super) fn may_repair(&mut self) -> bool {
        let now = self.now();
        let may = now >= self.repair;
        if may {
            self.repair = now + REPAIR_GAP;
        }
        may
    }

    pub(super) fn is_polling(&self) -> bool {
        self.polling
    }

    /// A look at the processes has ended, which began at the last `may_` that was asked.
    pub(super) fn walked(&mut self) {
        let now = self.now();
        let took = now.saturating_duration_since(self.started);
        let gap = if self.polling { WALK_GAP } else { IDLE_WALK_GAP };
        self.walk = now + gap.max(took * WALK_SHARE);
        self.poll_walk = now + self.poll.max(took * WALK_SHARE);
    }

    pub(super) fn published(&mut self) {
        self.publish = self.now() + PUBLISH_GAP;
    }

    /// The next publication need not wait.
    pub(super) fn hurry(&mut self) {
        self.publish = self.now();
    }

    /// Nothing is tried for a while.
    pub(super) fn failed(&mut self) {
        let then = self.now() + RETRY;
        (self.publish, self.walk, self.poll_walk) = (then, then, then);
    }

    pub(super) fn set_polling(&mut self, polling: bool) {
        if polling && !self.polling {
            self.poll_walk = self.now() + self.poll;
        }
        self.polling = polling;
    }

    pub(super) fn share(&mut self) {
        self.sharing = true;
    }

    fn now(&self) -> Instant {
        (self.clock)()
    }
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace").field("polling", &self.polling).finish_non_exhaustive()
    }
}
