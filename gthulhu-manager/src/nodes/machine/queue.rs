//! Who may call next: two lanes of bounded width, first come first served.
//!
//! Nodes in good standing use the fast lane. A node whose last call went unanswered waits in the slow one, so
//! that it never stands before a node that would answer.

use std::collections::VecDeque;

use super::options::Options;
use crate::nodes::NodeName;

/// One of the two lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Fast,
    Slow,
}

/// A place in a lane. A node that left the line leaves its entry behind; a ticket that is no longer the node's
/// is passed over.
pub(super) type Ticket = u64;

/// Both lanes.
#[derive(Debug)]
pub(super) struct Lanes {
    fast: Line,
    slow: Line,
    last_ticket: Ticket,
}

#[derive(Debug)]
struct Line {
    width: usize,
    busy: usize,
    waiting: VecDeque<(Ticket, NodeName)>,
}

impl Lanes {
    pub(super) fn new(options: &Options) -> Self {
        let line = |width| Line { width, busy: 0, waiting: VecDeque::new() };
        // A lane without width would never move.
        Self { fast: line(options.concurrency.max(1)), slow: line(options.probes.max(1)), last_ticket: 0 }
    }

    /// Puts `node` at the end of a lane.
    pub(super) fn join(&mut self, lane: Lane, node: NodeName) -> Ticket {
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        self.line(lane).waiting.push_back((ticket, node));
        ticket
    }

    /// The first in a lane, if the lane has room for one more call.
    pub(super) fn next(&mut self, lane: Lane) -> Option<(Ticket, NodeName)> {
        let line = self.line(lane);
        if line.busy < line.width { line.waiting.pop_front() } else { None }
    }

    /// A call began in this lane.
    pub(super) fn enter(&mut self, lane: Lane) {
        self.line(lane).busy += 1;
    }

    /// A call of this lane ended.
    pub(super) fn leave(&mut self, lane: Lane) {
        self.line(lane).busy -= 1;
    }

    /// A call of the fast lane takes too long and goes on in the slow one. That may overfill the slow lane,
    /// which is bounded all the same: a node has one call at a time.
    pub(super) fn pull_over(&mut self) {
        self.leave(Lane::Fast);
        self.enter(Lane::Slow);
    }

    fn line(&mut self, lane: Lane) -> &mut Line {
        match lane {
            Lane::Fast => &mut self.fast,
            Lane::Slow => &mut self.slow,
        }
    }
}
