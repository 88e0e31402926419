//! The moment by which something must happen on a connection, and whether it may be closed before.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// One deadline, moved by what happens on the connection.
#[derive(Debug)]
pub(super) struct Clock {
    phase: Mutex<Phase>,
    head: Duration,
    idle: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Headers must be complete by then.
    Head(Instant),
    /// A request is being worked on; it has deadlines of its own.
    Busy,
    /// A reply is on its way, and must be taken in by then. `next_begun`: bytes of another request came meanwhile.
    Sending { by: Instant, next_begun: bool },
    /// All was sent. The next request must be begun by then.
    Idle(Instant),
    /// The connection has to give way to others; no request of it is begun any more.
    GivenUp,
}

impl Clock {
    pub(super) fn new(limits: &Limits) -> Clock {
        let phase = Mutex::new(Phase::Head(Instant::now() + limits.first_byte));
        Clock { phase, head: limits.first_byte, idle: limits.idle }
    }

    /// The connection is closed when this passes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase() {
            Phase::Head(by) | Phase::Sending { by, .. } | Phase::Idle(by) => Some(by),
            Phase::Busy | Phase::GivenUp => None,
        }
    }

    /// Since when the connection has waited for its caller to say something; none while a request is being worked on
    /// or a reply is on its way.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        match self.phase() {
            Phase::Head(by) => by.checked_sub(self.head),
            Phase::Idle(by) => by.checked_sub(self.idle),
            Phase::Busy | Phase::Sending { .. } | Phase::GivenUp => None,
        }
    }

    /// Whether all was sent that is to be sent, and nothing has come since.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase(), Phase::Idle(_))
    }

    /// Ends the connection's right to begin a request, unless it is at work.
    pub(super) fn give_up(&self) -> bool {
        self.change(|phase| matches!(phase, Phase::Head(_) | Phase::Idle(_)).then_some(Phase::GivenUp))
    }

    /// Whether the request may begin.
    pub(super) fn request_began(&self) -> bool {
        self.change(|phase| (!matches!(phase, Phase::GivenUp)).then_some(Phase::Busy))
    }

    /// The reply is made, and now has to be sent.
    pub(super) fn reply_made(&self) {
        let sending = Phase::Sending { by: Instant::now() + self.idle, next_begun: false };
        self.change(|phase| matches!(phase, Phase::Busy).then_some(sending));
    }

    /// Bytes are being sent. Those of a reply of which a first part went before do not lengthen its time, nor do those
    /// of a refusal lengthen the time of the head that it answers.
    pub(super) fn bytes_go(&self) {
        self.change(|phase| match phase {
            Phase::Head(by) => Some(Phase::Sending { by, next_begun: true }),
            Phase::Idle(by) => Some(Phase::Sending { by, next_begun: false }),
            Phase::Busy | Phase::Sending { .. } | Phase::GivenUp => None,
        });
    }

    /// All that there was to send is with the system. From here on the connection waits for its caller.
    pub(super) fn bytes_gone(&self) {
        self.change(|phase| match phase {
            Phase::Sending { next_begun: true, .. } => Some(Phase::Head(Instant::now() + self.head)),
            Phase::Sending { next_begun: false, .. } => Some(Phase::Idle(Instant::now() + self.idle)),
            Phase::Head(_) | Phase::Busy | Phase::Idle(_) | Phase::GivenUp => None,
        });
    }

    /// The first byte after a pause begins a head; later ones do not lengthen its time. While a reply is on its way
    /// they do not shorten the reply's.
    pub(super) fn bytes_came(&self) {
        self.change(|phase| match phase {
            Phase::Idle(_) => Some(Phase::Head(Instant::now() + self.head)),
            Phase::Sending { by, .. } => Some(Phase::Sending { by, next_begun: true }),
            Phase::Head(_) | Phase::Busy | Phase::GivenUp => None,
        });
    }

    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes to the phase that `next` names, and tells whether it named one.
    fn change(&self, next: impl FnOnce(Phase) -> Option<Phase>) -> bool {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let next = next(*phase);
        *phase = next.unwrap_or(*phase);
        next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock whose first request has its reply, not sent yet.
    fn replying(limits: &Limits) -> Clock {
        let clock = Clock::new(limits);
        assert!(clock.request_began());
        clock.reply_made();
        clock
    }

    fn is_waiting(clock: &Clock) -> bool {
        clock.waiting_since().is_some()
    }

    #[test]
    fn a_connection_gives_way_only_between_requests() {
        let clock = Clock::new(&Limits::default());
        assert!(is_waiting(&clock) && clock.deadline().is_some());
        assert!(clock.request_began());
        assert!(!is_waiting(&clock) && clock.deadline().is_none());
        assert!(!clock.give_up(), "a request is in work");
        clock.reply_made();
        assert!(!is_waiting(&clock) && clock.deadline().is_some());
        assert!(!clock.give_up(), "a reply is on its way");
        clock.bytes_go();
        assert!(!clock.give_up(), "and still is");
        clock.bytes_gone();
        assert!(is_waiting(&clock) && clock.give_up());
        assert!(!clock.give_up(), "once is enough");
        clock.bytes_came();
        assert!(!clock.request_began(), "nothing begins any more");
        assert!(!is_waiting(&clock) && clock.deadline().is_none());
    }

    #[test]
    fn bytes_begin_a_head_once() {
        let limits = Limits { first_byte: Duration::from_secs(1), ..Limits::default() };
        let clock = Clock::new(&limits);
        let first = clock.deadline();
        clock.bytes_came();
        assert_eq!(clock.deadline(), first, "the head had begun with the connection");
        assert!(clock.request_began());
        clock.reply_made();
        clock.bytes_gone();
        let idle = clock.deadline();
        clock.bytes_came();
        let head = clock.deadline();
        assert!(head < idle);
        clock.bytes_came();
        assert_eq!(clock.deadline(), head);
    }

    #[test]
    fn the_time_to_take_in_a_reply_is_moved_by_nothing() {
        let clock = replying(&Limits::default());
        let by = clock.deadline();
        clock.bytes_go();
        clock.bytes_came();
        clock.bytes_go();
        assert_eq!(clock.deadline(), by);
        assert!(!clock.give_up());
    }

    #[test]
    fn a_head_that_began_during_a_reply_has_its_time_from_the_replys_end() {
        let limits = Limits { first_byte: Duration::from_secs(1), ..Limits::default() };
        let (quiet, eager) = (replying(&limits), replying(&limits));
        eager.bytes_came();
        let sent_by = eager.deadline();
        for clock in [&quiet, &eager] {
            clock.bytes_go();
            clock.bytes_gone();
        }
        assert!(eager.deadline() < sent_by && eager.deadline() < quiet.deadline());
        assert!(is_waiting(&eager) && is_waiting(&quiet));
    }

    #[test]
    fn what_is_sent_in_parts_is_sent_all_the_same() {
        // A refusal is sent before its request began, and the rest of a reply after its first part was gone.
        let refusing = Clock::new(&Limits::default());
        let resumed = replying(&Limits::default());
        resumed.bytes_gone();
        for clock in [refusing, resumed] {
            let by = clock.deadline();
            clock.bytes_go();
            assert_eq!(clock.deadline(), by);
            assert!(!clock.give_up());
            clock.bytes_gone();
            assert!(clock.give_up());
        }
    }
}
