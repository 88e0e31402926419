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
    /// The reply must be taken in and the next request begun by then.
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
            Phase::Head(by) | Phase::Idle(by) => Some(by),
            Phase::Busy | Phase::GivenUp => None,
        }
    }

    /// Since when the connection has waited for its caller; none while a request is being worked on.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        match self.phase() {
            Phase::Head(by) => by.checked_sub(self.head),
            Phase::Idle(by) => by.checked_sub(self.idle),
            Phase::Busy | Phase::GivenUp => None,
        }
    }

    /// Ends the connection's right to begin a request, unless it has one in work.
    pub(super) fn give_up(&self) -> bool {
        self.change(|phase| match phase {
            Phase::Head(_) | Phase::Idle(_) => Some(Phase::GivenUp),
            Phase::Busy | Phase::GivenUp => None,
        })
    }

    /// Whether the request may begin.
    pub(super) fn request_began(&self) -> bool {
        self.change(|phase| (!matches!(phase, Phase::GivenUp)).then_some(Phase::Busy))
    }

    pub(super) fn request_ended(&self) {
        let idle = Phase::Idle(Instant::now() + self.idle);
        self.change(|phase| matches!(phase, Phase::Busy).then_some(idle));
    }

    /// The first byte after a pause begins a head; later ones do not lengthen its time.
    pub(super) fn bytes_came(&self) {
        self.change(|phase| matches!(phase, Phase::Idle(_)).then(|| Phase::Head(Instant::now() + self.head)));
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

    #[test]
    fn a_connection_gives_way_only_between_requests() {
        let clock = Clock::new(&Limits::default());
        assert!(clock.waiting_since().is_some() && clock.deadline().is_some());
        assert!(clock.request_began());
        assert!(clock.waiting_since().is_none() && clock.deadline().is_none());
        assert!(!clock.give_up(), "a request is in work");
        clock.request_ended();
        assert!(clock.give_up());
        assert!(!clock.give_up(), "once is enough");
        clock.bytes_came();
        assert!(!clock.request_began(), "nothing begins any more");
        assert!(clock.waiting_since().is_none() && clock.deadline().is_none());
    }

    #[test]
    fn bytes_begin_a_head_once() {
        let limits = Limits { first_byte: Duration::from_secs(1), ..Limits::default() };
        let clock = Clock::new(&limits);
        let first = clock.deadline();
        clock.bytes_came();
        assert_eq!(clock.deadline(), first, "the head had begun with the connection");
        assert!(clock.request_began());
        clock.request_ended();
        let idle = clock.deadline();
        clock.bytes_came();
        let head = clock.deadline();
        assert!(head < idle);
        clock.bytes_came();
        assert_eq!(clock.deadline(), head);
    }
}
