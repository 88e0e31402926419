//! The epoch that pushes are numbered under, and asking for another.

use std::time::Duration;

use super::message::Note;
use crate::nodes::Pair;

/// How long an unanswered request for an epoch waits before it is repeated.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The greatest epoch that a dm is believed to hold. Numbers end at 2^53 - 1; a dm that claims to be almost
/// there could otherwise use up all numbers of all nodes, now or within the next million epochs.
const BELIEVABLE_MAX: u64 = (1 << 53) - (1 << 20);

/// The pusher's epoch.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    current: u64,
    wanted: Option<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    above: u64,
    ask_at: Duration,
}

/// What a refused push means.
pub(super) enum Verdict {
    /// Someone pushed under this epoch or a later one: another epoch is needed.
    Overtaken,
    /// The dm contradicts itself, or claims an epoch that cannot be.
    Nonsense,
}

impl Epochs {
    /// No epoch yet: the first is asked for at once.
    pub(super) fn new() -> Self {
        Self { current: 0, wanted: Some(Wanted { above: 0, ask_at: Duration::ZERO }) }
    }

    /// The epoch to push under; none while another is being asked for.
    pub(super) fn usable(&self) -> Option<u64> {
        if self.wanted.is_none() { Some(self.current) } else { None }
    }

    /// The last epoch that was usable; 0 before the first.
    pub(super) fn current(&self) -> u64 {
        self.current
    }

    /// Takes `epoch` if it is what was asked for, or at least greater than the present one.
    pub(super) fn adopt(&mut self, epoch: u64) -> bool {
        let above = self.wanted.as_ref().map_or(self.current, |wanted| wanted.above);
        if epoch <= above {
            return false;
        }
        self.current = epoch;
        self.wanted = None;
        true
    }

    /// Judges a refusal of a push under the current epoch.
    pub(super) fn judge(&self, held: Pair) -> Verdict {
        if (self.current..=BELIEVABLE_MAX).contains(&held.epoch) {
            Verdict::Overtaken
        } else {
            Verdict::Nonsense
        }
    }

    /// Asks for an epoch above `held` and the present one, unless that was asked already.
    pub(super) fn ask(&mut self, held: u64, now: Duration) -> Option<Note> {
        let above = held.max(self.current);
        if self.wanted.as_ref().is_some_and(|wanted| wanted.above >= above) {
            return None;
        }
        self.wanted = Some(Wanted { above, ask_at: now });
        self.ask_if_due(now)
    }

    /// Repeats the request when its time has come.
    pub(super) fn ask_if_due(&mut self, now: Duration) -> Option<Note> {
        let wanted = self.wanted.as_mut().filter(|wanted| wanted.ask_at <= now)?;
        wanted.ask_at = now + ASK_AGAIN_AFTER;
        Some(Note::NeedEpoch { above: wanted.above })
    }

    /// When the request is to be repeated.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        self.wanted.as_ref().map(|wanted| wanted.ask_at)
    }
}
