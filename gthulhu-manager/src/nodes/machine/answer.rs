//! What follows from the end of a call.

use std::sync::Arc;
use std::time::Duration;

use super::epochs::Verdict;
use super::message::{CallId, DmState, Failure, FailureKind, Note, Outcome};
use super::node::{Goal, Phase};
use super::{Machine, NodeName};
use crate::nodes::Pair;

impl Machine {
    /// Takes in how the node's present call ended; any other call is an old story.
    pub(super) fn answer(&mut self, name: &NodeName, id: CallId, outcome: Outcome, now: Duration) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        if !matches!(&node.phase, Phase::Calling(call) if call.id == id) {
            return;
        }
        let Phase::Calling(call) = std::mem::replace(&mut node.phase, Phase::Resting) else { return };
        self.lanes.leave(call.lane);
        match (outcome, call.push) {
            (Outcome::Failed(failure), _) => self.failed(name, failure, now),
            (Outcome::State(state), None) => self.compared(name, &state, now),
            (Outcome::Accepted, Some((pair, goal))) => self.accepted(name, pair, goal, now),
            (Outcome::Conflict(held), Some((pair, _))) => self.conflict(name, pair, held, now),
            (_, _) => self.failed(name, bad_answer("the answer does not fit the question".to_owned()), now),
        }
        self.plan(name, now);
    }

    fn compared(&mut self, name: &NodeName, state: &DmState, now: Duration) {
        self.reached(name);
        let Some(node) = self.nodes.get_mut(name) else { return };
        let (agreed, failures) = (node.agrees(), node.failures);
        node.compared(state, self.epochs.current());
        if !node.agrees() {
            return;
        }
        let set = node.goal.as_ref().map(|goal| Arc::clone(&goal.set));
        self.settled(name, now);
        if !agreed || failures > 0 {
            self.note(set.map(|set| Note::Accepted { node: Arc::clone(name), pair: state.held, set }));
        }
    }

    fn accepted(&mut self, name: &NodeName, pair: Pair, goal: Goal, now: Duration) {
        self.reached(name);
        let Some(node) = self.nodes.get_mut(name) else { return };
        node.accepted(pair, goal.digest, self.epochs.current());
        self.settled(name, now);
        self.note(Some(Note::Accepted { node: Arc::clone(name), pair: Some(pair), set: goal.set }));
    }

    /// The dm holds a greater pair, so another pusher was at work, or this one lost its memory. Either way a
    /// greater epoch is needed, and whoever grants it makes sure that there is no other pusher.
    fn conflict(&mut self, name: &NodeName, pushed: Pair, held: Option<Pair>, now: Duration) {
        if pushed.epoch < self.epochs.current() {
            // The epoch changed while the push was under way; the next push carries the new one.
            self.reached(name);
            return;
        }
        let Some(held) = held else {
            let message = format!("refused {pushed} without naming the pair it holds");
            return self.failed(name, bad_answer(message), now);
        };
        let error = format!("refused {pushed}: it holds {held}");
        if let Verdict::Nonsense = self.epochs.judge(held) {
            return self.failed(name, bad_answer(format!("{error}, which makes no sense")), now);
        }
        // A new epoch makes every node be pushed again: one node must not cause that over and over.
        let pause = self.options.compare_every;
        self.overtaken.retain(|_, at| *at + pause > now);
        if let Some(again_at) = self.overtaken.get(name).map(|at| *at + pause) {
            self.failed(name, bad_answer(format!("{error}, again")), now);
            if let Some(node) = self.nodes.get_mut(name) {
                node.not_before = again_at;
            }
            return;
        }
        self.overtaken.insert(Arc::clone(name), now);
        self.reached(name);
        self.note(Some(Note::Failed { node: Arc::clone(name), error }));
        let ask = self.epochs.ask(held.epoch, now);
        self.note(ask);
    }

    /// A call failed: the dm's state is uncertain now, and the next call waits.
    pub(super) fn failed(&mut self, name: &NodeName, failure: Failure, now: Duration) {
        let answered = matches!(failure.kind, FailureKind::BadAnswer | FailureKind::NotOffered);
        self.mark_reachable(name, answered);
        let Some(node) = self.nodes.get_mut(name) else { return };
        node.probe = true;
        node.suspect = !answered;
        node.failures = node.failures.saturating_add(1);
        // A dm that answers with errors will most likely do so again; one that is away may be back at once.
        let max = if answered { self.options.compare_every } else { self.options.backoff_max };
        node.not_before = now + self.options.backoff(node.failures, max, &mut self.jitter);
        self.note(Some(Note::Failed { node: Arc::clone(name), error: failure.message }));
    }

    /// The node was called with success, and is not called again before the next comparison or change.
    fn settled(&mut self, name: &NodeName, now: Duration) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        node.failures = 0;
        node.compare_at = now + self.options.until_comparison(&mut self.jitter);
    }

    fn reached(&mut self, name: &NodeName) {
        self.mark_reachable(name, true);
        if let Some(node) = self.nodes.get_mut(name) {
            node.suspect = false;
        }
    }

    fn mark_reachable(&mut self, name: &NodeName, reachable: bool) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        if node.reachable.replace(reachable) == Some(reachable) {
            return;
        }
        let node = Arc::clone(name);
        self.note(Some(if reachable { Note::Reachable { node } } else { Note::Unreachable { node } }));
    }
}

fn bad_answer(message: String) -> Failure {
    Failure { kind: FailureKind::BadAnswer, message }
}
