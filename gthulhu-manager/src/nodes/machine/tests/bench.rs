//! A bench for one machine: events go in by short verbs, actions come out as short lines.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::intent::{Intent, Limits};
use gthulhu_lib::wire::IntentBody;

use crate::nodes::machine::{
    Action, CallId, DmState, Event, Failure, FailureKind, Machine, Note, Options, Outcome, Request,
};
use crate::nodes::{Endpoint, Pair};

/// The set with one intent for each word of `pods`.
pub(super) fn set(pods: &str) -> Arc<IntentSet> {
    let body = |pod: &str| IntentBody { pod_id: pod.to_owned(), ..IntentBody::default() };
    let bodies = pods.split_whitespace().map(body).collect();
    Arc::new(IntentSet::check(bodies, &Limits::default()).expect("a pod uid is all an intent needs"))
}

/// The words that [`set`] makes `set` from.
pub(super) fn pods(set: &IntentSet) -> String {
    set.iter().map(Intent::pod_uid).collect::<Vec<_>>().join(" ")
}

pub(super) fn pair((epoch, generation): (u64, u64)) -> Pair {
    Pair { epoch, generation }
}

/// What one of our dms says when it holds `pods` under the pair `held`.
pub(super) fn holds(pods: &str, held: Option<(u64, u64)>) -> Outcome {
    let set = set(pods);
    Outcome::State(DmState {
        root: set.merkle_root(),
        digest: Some(set.digest()),
        held: held.map(pair),
        edited: false,
    })
}

/// What a Go dm says when it holds `pods`.
pub(super) fn go_holds(pods: &str) -> Outcome {
    Outcome::State(DmState { root: set(pods).merkle_root(), digest: None, held: None, edited: false })
}

pub(super) fn failure(kind: FailureKind) -> Outcome {
    Outcome::Failed(Failure { kind, message: format!("{kind:?}") })
}

pub(super) struct Bench {
    machine: Machine,
    pub(super) now: Duration,
    wake_at: Option<Duration>,
    /// Each node's last call.
    calls: HashMap<String, CallId>,
}

impl Bench {
    /// A machine without jitter worth speaking of, and no event yet.
    pub(super) fn new(options: Options) -> Self {
        Self { machine: Machine::new(options), now: Duration::ZERO, wake_at: None, calls: HashMap::new() }
    }

    /// A machine under epoch 1 with these nodes, each up, holding and meant to hold what is said, compared.
    pub(super) fn settled(nodes: &[(&str, &str)]) -> Self {
        Self::settled_with(Options::default(), nodes)
    }

    pub(super) fn settled_with(options: Options, nodes: &[(&str, &str)]) -> Self {
        let mut bench = Self::new(options);
        bench.epoch(1);
        bench.desired(nodes);
        for (node, _) in nodes {
            bench.up(node);
        }
        for (node, pods) in nodes {
            bench.answer(node, holds(pods, None));
        }
        bench
    }

    pub(super) fn epoch(&mut self, epoch: u64) -> Vec<String> {
        self.handle(Event::Epoch(epoch))
    }

    pub(super) fn up(&mut self, node: &str) -> Vec<String> {
        self.up_at(node, "http://first")
    }

    pub(super) fn up_at(&mut self, node: &str, url: &str) -> Vec<String> {
        let endpoint = Arc::new(Endpoint { url: url.to_owned(), ..Endpoint::default() });
        self.handle(Event::NodeUp { node: node.into(), endpoint })
    }

    pub(super) fn gone(&mut self, node: &str) -> Vec<String> {
        self.handle(Event::NodeGone { node: node.into() })
    }

    pub(super) fn desired(&mut self, nodes: &[(&str, &str)]) -> Vec<String> {
        let sets = nodes.iter().map(|(node, pods)| ((*node).into(), set(pods))).collect();
        self.handle(Event::Desired(Arc::new(sets)))
    }

    /// The node's last call ends.
    pub(super) fn answer(&mut self, node: &str, outcome: Outcome) -> Vec<String> {
        let call = self.call(node);
        self.answer_call(node, call, outcome)
    }

    pub(super) fn answer_call(&mut self, node: &str, call: CallId, outcome: Outcome) -> Vec<String> {
        self.handle(Event::Answer { node: node.into(), call, outcome })
    }

    pub(super) fn call(&self, node: &str) -> CallId {
        self.calls[node]
    }

    /// Time passes, and the timer rings whenever it was asked to.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<String> {
        let end = self.now + time;
        let mut lines = Vec::new();
        while let Some(at) = self.wake_at.take_if(|at| *at <= end) {
            self.now = self.now.max(at);
            lines.extend(self.handle(Event::Timer));
        }
        self.now = end;
        lines
    }

    pub(super) fn pass_ms(&mut self, ms: u64) -> Vec<String> {
        self.pass(Duration::from_millis(ms))
    }

    pub(super) fn handle(&mut self, event: Event) -> Vec<String> {
        let actions = self.machine.handle(event, self.now);
        actions.into_iter().filter_map(|action| self.line(action)).collect()
    }

    fn line(&mut self, action: Action) -> Option<String> {
        Some(match action {
            Action::Wake { at } => {
                self.wake_at = Some(at);
                return None;
            }
            Action::Cancel { call } => {
                let (node, _) = self.calls.iter().find(|(_, own)| **own == call).expect("a call under way");
                format!("{node}: cancel")
            }
            Action::Send { node, call, endpoint, request } => {
                self.calls.insert(node.to_string(), call);
                let other = if endpoint.url == "http://first" { "" } else { " elsewhere" };
                match request {
                    Request::Compare => format!("{node}: compare{other}"),
                    Request::Push { pair, set } => format!("{node}: push {pair} [{}]{other}", pods(&set)),
                }
            }
            Action::Note(Note::Accepted { node, pair, set }) => {
                let pair = pair.map_or("unnumbered".to_owned(), |pair| pair.to_string());
                format!("{node}: holds {pair} [{}]", pods(&set))
            }
            Action::Note(Note::Failed { node, error }) => format!("{node}: failed: {error}"),
            Action::Note(Note::NeedEpoch { above }) => format!("need epoch above {above}"),
            Action::Note(Note::Reachable { node }) => format!("{node}: reachable"),
            Action::Note(Note::Unreachable { node }) => format!("{node}: unreachable"),
        })
    }
}
