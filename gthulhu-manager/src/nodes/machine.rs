//! Push and reconcile for all nodes, as one machine: an [`Event`] and the time go in, [`Action`]s come out.
//!
//! ```text
//!              due               a slot is free
//!   Resting ---------> Queued -------------------> Calling ---> Resting
//!      ^                                              |   answer, failure or deadline
//!      '----------------------------------------------'
//! ```
//!
//! A node has at most one call under way. Whenever it rests, the next step follows from three facts alone: what
//! it should hold, what it is known to hold, and whether that knowledge is good. Nothing is queued for a node
//! but its turn, so a node that is away costs the same however much changes meanwhile.
//!
//! Time is whatever the caller says, counted from any start; the machine only compares moments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gthulhu_lib::intent::set::IntentSet;

use self::epochs::Epochs;
use self::node::{Node, Phase};
use self::options::Jitter;
use self::queue::Lanes;
use super::{Endpoint, NodeName, NodeSets};
use crate::differ::differing;

mod answer;
mod call;
mod epochs;
mod message;
mod node;
mod options;
mod queue;
#[cfg(test)]
mod tests;

pub use message::{Action, CallId, DmState, Event, Failure, FailureKind, Note, Outcome, Request};
pub use options::Options;

/// All nodes and what is to be done about them.
#[derive(Debug)]
pub struct Machine {
    options: Options,
    jitter: Jitter,
    epochs: Epochs,
    nodes: BTreeMap<NodeName, Node>,
    /// What nodes should hold, also those that have no dm yet; none until it was said for the first time.
    desired: Option<NodeSets>,
    nothing: Arc<IntentSet>,
    /// The greatest generation of any node that is gone: should it come back, it goes on above it.
    floor: u64,
    lanes: Lanes,
    last_call: CallId,
    /// When a node last made us ask for another epoch. It outlives the node, who may come back at once.
    overtaken: BTreeMap<NodeName, Duration>,
    /// One entry per node that waits for a moment.
    alarms: BTreeSet<(Duration, NodeName)>,
    /// The moment last asked for.
    wake_at: Option<Duration>,
    actions: Vec<Action>,
}

impl Machine {
    /// A machine that knows no node, no desired state and no epoch. It asks for the epoch on its first event.
    pub fn new(options: Options) -> Self {
        Self {
            jitter: Jitter::new(options.seed),
            lanes: Lanes::new(&options),
            options,
            epochs: Epochs::new(),
            nodes: BTreeMap::new(),
            desired: None,
            nothing: Arc::new(IntentSet::default()),
            floor: 0,
            last_call: 0,
            overtaken: BTreeMap::new(),
            alarms: BTreeSet::new(),
            wake_at: None,
            actions: Vec::new(),
        }
    }

    /// Takes in `event`, which happened at `now`, and says what to do, in order.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Action> {
        match event {
            Event::Epoch(epoch) => self.enter_epoch(epoch, now),
            Event::NodeUp { node, endpoint } => self.node_up(&node, endpoint, now),
            Event::NodeGone { node } => self.node_gone(&node),
            Event::Desired(sets) => self.aim(sets, now),
            Event::Answer { node, call, outcome } => self.answer(&node, call, outcome, now),
            Event::Timer => self.ring(now),
        }
        let ask = self.epochs.ask_if_due(now);
        self.note(ask);
        self.begin_calls(now);
        self.ask_for_wake();
        std::mem::take(&mut self.actions)
    }

    fn enter_epoch(&mut self, epoch: u64, now: Duration) {
        let first = self.epochs.current() == 0;
        if !self.epochs.adopt(epoch) {
            return;
        }
        self.floor = 0;
        for name in self.names() {
            // Before the first epoch nothing was pushed, and a node found in agreement needs no push.
            if !first && let Some(node) = self.nodes.get_mut(&name) {
                node.enter_epoch();
            }
            self.plan(&name, now);
        }
    }

    fn node_up(&mut self, name: &NodeName, endpoint: Arc<Endpoint>, now: Duration) {
        self.stop(name);
        let goal = self.goal_of(name);
        let floor = self.floor;
        let node = self
            .nodes
            .entry(Arc::clone(name))
            .or_insert_with(|| Node::new(Arc::clone(&endpoint), goal.map(node::Goal::new), floor));
        node.endpoint = endpoint;
        node.probe = true;
        node.suspect = false;
        node.failures = 0;
        node.not_before = now;
        self.plan(name, now);
    }

    fn node_gone(&mut self, name: &NodeName) {
        self.stop(name);
        if let Some(node) = self.nodes.remove(name) {
            self.floor = self.floor.max(node.generation());
            if let Some(at) = node.alarm {
                self.alarms.remove(&(at, Arc::clone(name)));
            }
        }
    }

    fn aim(&mut self, sets: NodeSets, now: Duration) {
        // Every node aims at what was desired last, so only what differs from that is looked at.
        let names: Vec<_> = match &self.desired {
            Some(before) => differing(before, &sets).map(|one| Arc::clone(one.node)).collect(),
            None => self.names(),
        };
        self.desired = Some(sets);
        for name in names {
            let Some(goal) = self.goal_of(&name) else { continue };
            let Some(node) = self.nodes.get_mut(&name) else { continue };
            let agreed = node.agrees();
            if !node.aim(&goal) {
                continue;
            }
            // Only the first change of a burst sets the moment, else a steady stream would delay it for ever.
            if agreed {
                node.not_before = node.not_before.max(now + self.options.debounce);
            }
            self.plan(&name, now);
        }
    }

    /// What the node should hold, if that was ever said.
    fn goal_of(&self, name: &NodeName) -> Option<Arc<IntentSet>> {
        let desired = self.desired.as_ref()?;
        Some(Arc::clone(desired.get(name).unwrap_or(&self.nothing)))
    }

    /// Takes the node out of its lane, or ends its call.
    fn stop(&mut self, name: &NodeName) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        if let Phase::Calling(call) = std::mem::replace(&mut node.phase, Phase::Resting) {
            self.lanes.leave(call.lane);
            self.actions.push(Action::Cancel { call: call.id });
        }
    }

    /// Works out when the resting node moves next. What is due already takes its place in the line.
    fn plan(&mut self, name: &NodeName, now: Duration) {
        let may_push = self.epochs.usable().is_some();
        let Some(node) = self.nodes.get_mut(name) else { return };
        let at = match &node.phase {
            Phase::Resting => match node.due(may_push) {
                Some(at) if at <= now => {
                    let lane = if node.suspect { queue::Lane::Slow } else { queue::Lane::Fast };
                    node.phase = Phase::Queued(self.lanes.join(lane, Arc::clone(name)));
                    None
                }
                other => other,
            },
            Phase::Queued(_) => None,
            Phase::Calling(call) if call.lane == queue::Lane::Fast => {
                Some(call.overdue_at.min(call.deadline))
            }
            Phase::Calling(call) => Some(call.deadline),
        };
        if node.alarm == at {
            return;
        }
        if let Some(old) = std::mem::replace(&mut node.alarm, at) {
            self.alarms.remove(&(old, Arc::clone(name)));
        }
        if let Some(at) = at {
            self.alarms.insert((at, Arc::clone(name)));
        }
    }

    /// Everything whose moment has come. Moments are looked at only here, so that answers which arrived
    /// together with them, after a pause of this process, still count.
    fn ring(&mut self, now: Duration) {
        self.wake_at = None;
        while let Some((_, name)) = self.alarms.first().filter(|(at, _)| *at <= now).cloned() {
            self.call_is_late(&name, now);
            self.plan(&name, now);
        }
    }

    fn ask_for_wake(&mut self) {
        let alarm = self.alarms.first().map(|(at, _)| *at);
        let next = match (alarm, self.epochs.wake_at()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        if next != self.wake_at {
            self.wake_at = next;
            self.actions.extend(next.map(|at| Action::Wake { at }));
        }
    }

    fn note(&mut self, note: Option<Note>) {
        self.actions.extend(note.map(Action::Note));
    }

    fn names(&self) -> Vec<NodeName> {
        self.nodes.keys().cloned().collect()
    }
}
