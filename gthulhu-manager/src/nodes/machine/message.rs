//! What goes into the machine and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use gthulhu_lib::intent::set::IntentSet;

use crate::nodes::{Endpoint, NodeName, NodeSets, Pair};

/// Names one call for its whole life; never used again.
pub type CallId = u64;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// This manager is the pusher, under this epoch. Ignored unless it is greater than what was asked for.
    Epoch(u64),
    /// The node's dm is at `endpoint`: new, moved, or worth another try at once.
    NodeUp {
        /// The node.
        node: NodeName,
        /// Where its dm listens.
        endpoint: Arc<Endpoint>,
    },
    /// The node has no dm any more.
    NodeGone {
        /// The node.
        node: NodeName,
    },
    /// What all nodes should hold.
    Desired(NodeSets),
    /// A call came to its end. Ignored unless it is the node's present call.
    Answer {
        /// The node called.
        node: NodeName,
        /// The call.
        call: CallId,
        /// How it ended.
        outcome: Outcome,
    },
    /// The moment of the last [`Action::Wake`] has come.
    Timer,
}

/// Something to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// Send `request` to the node's dm and report its end by [`Event::Answer`].
    Send {
        /// The node to call.
        node: NodeName,
        /// The call's name.
        call: CallId,
        /// Where the node's dm listens.
        endpoint: Arc<Endpoint>,
        /// What to ask.
        request: Request,
    },
    /// Give this call up; its answer no longer matters.
    Cancel {
        /// The call.
        call: CallId,
    },
    /// Report [`Event::Timer`] at this moment; replaces the moment asked for before.
    Wake {
        /// Time since the start, on the clock of the events.
        at: Duration,
    },
    /// Something to remember or to show.
    Note(Note),
}

/// A question to a dm.
#[derive(Debug, Clone)]
pub enum Request {
    /// What do you hold?
    Compare,
    /// Hold this.
    Push {
        /// The number of the set.
        pair: Pair,
        /// The node's full set.
        set: Arc<IntentSet>,
    },
}

/// How a call ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The answer to [`Request::Compare`].
    State(DmState),
    /// The dm holds what was pushed.
    Accepted,
    /// The dm holds a pair that forbids the one pushed; it should say which.
    Conflict(Option<Pair>),
    /// Anything else.
    Failed(Failure),
}

/// What a dm says it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DmState {
    /// Merkle root of the set.
    pub root: [u8; 32],
    /// Our own digest of the set; Go dms have none.
    pub digest: Option<[u8; 32]>,
    /// The number of the last numbered push.
    pub held: Option<Pair>,
    /// Whether the set was edited since.
    pub edited: bool,
}

/// A call that did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What this says about the node.
    pub kind: FailureKind,
    /// One sentence for the operator.
    pub message: String,
}

/// What a failure says about the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The dm answered, and the answer is an error or makes no sense.
    BadAnswer,
    /// The dm answered that it does not know what was asked: it is an older one, or one written in Go.
    NotOffered,
}

/// Something to remember or to show.
#[derive(Debug, Clone)]
pub enum Note {
    /// The node is known to hold `set`: it took a push, or turned out to hold it already.
    Accepted {
        /// The node.
        node: NodeName,
        /// The number under which it holds the set; a Go dm that was never pushed to has none.
        pair: Option<Pair>,
        /// The set.
        set: Arc<IntentSet>,
    },
    /// A call to the node failed; another will follow by itself.
    Failed {
        /// The node.
        node: NodeName,
        /// One sentence for the operator.
        error: String,
    },
    /// Nothing can be pushed until [`Event::Epoch`] brings an epoch greater than this. Repeated while unanswered.
    NeedEpoch {
        /// The greatest epoch known to be taken.
        above: u64,
    },
    /// The node answered, for the first time or again.
    Reachable {
        /// The node.
        node: NodeName,
    },
    /// The node stopped answering, or never did.
    Unreachable {
        /// The node.
        node: NodeName,
    },
}
