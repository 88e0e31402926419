//! One node: what it should hold, what it is known to hold, and the next step between the two.

use std::sync::Arc;
use std::time::Duration;

use gthulhu_lib::intent::set::IntentSet;

use super::message::{CallId, DmState, Request};
use super::queue::{Lane, Ticket};
use crate::nodes::{Endpoint, Pair};

/// Tells sets apart: equal digests, equal sets.
pub(super) type Digest = [u8; 32];

/// What a node should hold.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    pub(super) set: Arc<IntentSet>,
    pub(super) digest: Digest,
}

impl Goal {
    pub(super) fn new(set: Arc<IntentSet>) -> Self {
        let digest = set.digest();
        Self { set, digest }
    }
}

/// Everything known of one node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) endpoint: Arc<Endpoint>,
    /// None until the first word on what nodes should hold: silence must never empty a node.
    pub(super) goal: Option<Goal>,
    /// The last generation used for this node under the current epoch.
    generation: u64,
    /// The set that went out under that generation; none if nothing was pushed under the current epoch.
    sent: Option<Digest>,
    /// The set that the dm certainly holds.
    known: Option<Digest>,
    /// The epoch changed under the node: it is pushed to even if it holds the right set.
    renumber: bool,
    /// What the dm holds is uncertain: it is asked before anything is pushed.
    pub(super) probe: bool,
    /// The last call went unanswered.
    pub(super) suspect: bool,
    /// Failures since the node was last in agreement.
    pub(super) failures: u32,
    /// Whether the last call was answered; none before the first call ended.
    pub(super) reachable: Option<bool>,
    /// Nothing is sent before this moment: debounce or back-off.
    pub(super) not_before: Duration,
    /// When the next comparison of a node in agreement is due.
    pub(super) compare_at: Duration,
    pub(super) phase: Phase,
    /// The moment registered for this node, if any.
    pub(super) alarm: Option<Duration>,
}

/// What a node is doing.
#[derive(Debug)]
pub(super) enum Phase {
    Resting,
    Queued(Ticket),
    Calling(Call),
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) lane: Lane,
    pub(super) overdue_at: Duration,
    pub(super) deadline: Duration,
    /// What is being pushed, if it is a push.
    pub(super) push: Option<(Pair, Goal)>,
}

impl Node {
    /// A node of which nothing is known yet. `floor` is the last generation that may already be taken.
    pub(super) fn new(endpoint: Arc<Endpoint>, goal: Option<Goal>, floor: u64) -> Self {
        Self {
            endpoint,
            goal,
            generation: floor,
            sent: None,
            known: None,
            renumber: false,
            probe: true,
            suspect: false,
            failures: 0,
            reachable: None,
            not_before: Duration::ZERO,
            compare_at: Duration::ZERO,
            phase: Phase::Resting,
            alarm: None,
        }
    }

    /// The last generation used.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the dm is known to hold what it should.
    pub(super) fn agrees(&self) -> bool {
        self.known.is_some() && self.known == self.goal.as_ref().map(|goal| goal.digest)
    }

    /// Sets what the node should hold. True if that is a change.
    pub(super) fn aim(&mut self, set: &Arc<IntentSet>) -> bool {
        if let Some(goal) = self.goal.as_mut().filter(|goal| goal.set == *set) {
            goal.set = Arc::clone(set);
            return false;
        }
        self.goal = Some(Goal::new(Arc::clone(set)));
        true
    }

    /// A new epoch: generations restart, and whatever the node holds is pushed under the new number.
    pub(super) fn enter_epoch(&mut self) {
        self.generation = 0;
        self.sent = None;
        self.known = None;
        self.renumber = true;
    }

    /// When the next call is due, if one is.
    pub(super) fn due(&self, may_push: bool) -> Option<Duration> {
        self.goal.as_ref()?;
        if self.probe {
            Some(self.not_before)
        } else if self.agrees() {
            Some(self.compare_at.max(self.not_before))
        } else {
            may_push.then_some(self.not_before)
        }
    }

    /// The next request: the push, or a comparison if the dm's state is uncertain or thought right.
    pub(super) fn request(&mut self, epoch: Option<u64>) -> Option<Request> {
        let goal = self.goal.as_ref()?;
        if self.probe || self.agrees() {
            return Some(Request::Compare);
        }
        let epoch = epoch?;
        // A pair belongs to one set for ever: the same set goes out again under the same pair, any other one
        // under the next.
        if self.sent != Some(goal.digest) {
            self.generation += 1;
            self.sent = Some(goal.digest);
        }
        self.known = None;
        Some(Request::Push { pair: Pair { epoch, generation: self.generation }, set: Arc::clone(&goal.set) })
    }

    /// Takes in what the dm says it holds.
    pub(super) fn compared(&mut self, state: &DmState, epoch: u64) {
        self.probe = false;
        self.known =
            self.goal.as_ref().filter(|goal| self.is_right(goal, state, epoch)).map(|goal| goal.digest);
    }

    /// Takes in that the dm accepted a push. A push from before the last change of epoch settles nothing.
    pub(super) fn accepted(&mut self, pair: Pair, digest: Digest, epoch: u64) {
        self.probe = false;
        if pair.epoch == epoch {
            self.renumber = false;
            self.known = Some(digest);
        }
    }

    fn is_right(&self, goal: &Goal, state: &DmState, epoch: u64) -> bool {
        let Some(digest) = state.digest else {
            return state.root == goal.set.merkle_root();
        };
        // While a greater pair than the one held is on its way, what is held now proves nothing.
        let sent = self.sent.map(|_| Pair { epoch, generation: self.generation });
        digest == goal.digest && !state.edited && !self.renumber && state.held >= sent
    }
}
