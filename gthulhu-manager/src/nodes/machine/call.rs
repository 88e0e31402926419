//! The life of a call: begun when a lane has room, overdue after the patience, failed at the deadline.

use std::sync::Arc;
use std::time::Duration;

use super::message::{Action, Failure, FailureKind, Request};
use super::node::{Call, Phase};
use super::queue::{Lane, Ticket};
use super::{Machine, NodeName};

impl Machine {
    /// Begins as many calls as the lanes allow.
    pub(super) fn begin_calls(&mut self, now: Duration) {
        for lane in [Lane::Fast, Lane::Slow] {
            while let Some((ticket, name)) = self.lanes.next(lane) {
                self.begin_call(lane, ticket, &name, now);
                self.plan(&name, now);
            }
        }
    }

    fn begin_call(&mut self, lane: Lane, ticket: Ticket, name: &NodeName, now: Duration) {
        let epoch = self.epochs.usable();
        let Some(node) = self.nodes.get_mut(name) else { return };
        if !matches!(node.phase, Phase::Queued(own) if own == ticket) {
            return;
        }
        node.phase = Phase::Resting;
        let Some(request) = node.request(epoch) else { return };
        self.last_call += 1;
        let push = match &request {
            Request::Push { pair, .. } => node.goal.clone().map(|goal| (*pair, goal)),
            Request::Compare => None,
        };
        node.phase = Phase::Calling(Call {
            id: self.last_call,
            lane,
            overdue_at: now + self.options.patience,
            deadline: now + self.options.deadline,
            push,
        });
        self.lanes.enter(lane);
        self.actions.push(Action::Send {
            node: Arc::clone(name),
            call: self.last_call,
            endpoint: Arc::clone(&node.endpoint),
            request,
        });
    }

    /// The node's moment has come: if it is calling, the call is overdue or past its deadline.
    pub(super) fn call_is_late(&mut self, name: &NodeName, now: Duration) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        let Phase::Calling(call) = &mut node.phase else { return };
        if call.deadline <= now {
            self.stop(name);
            let message = format!("no answer within {:?}", self.options.deadline);
            self.failed(name, Failure { kind: FailureKind::TimedOut, message }, now);
        } else if call.lane == Lane::Fast && call.overdue_at <= now {
            call.lane = Lane::Slow;
            self.lanes.pull_over();
        }
    }
}
