//! What is known of each node, for everyone to see.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use gthulhu_lib::id::{Id, intent_id};
use gthulhu_lib::intent::Intent;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::wire::IntentBody;

use crate::domain::NodeAck;
use crate::nodes::machine::Note;
use crate::nodes::{Endpoint, NodeName, Pair};

/// One node's dm.
#[derive(Debug, Clone, Default)]
pub struct NodeStatus {
    /// Where it listens.
    pub url: String,
    /// Whether its last call was answered; none before the first call ended.
    pub reachable: Option<bool>,
    /// The number of the set that it was last known to hold.
    pub pair: Option<Pair>,
    /// The set that it was last known to hold.
    pub held: Option<Arc<HeldSet>>,
    /// Why the last call failed, until one succeeds.
    pub error: Option<String>,
    /// When any of this last changed, in Unix milliseconds.
    pub at_ms: i64,
}

/// A set that a node holds, to be asked about single intents.
#[derive(Debug)]
pub struct HeldSet {
    set: Arc<IntentSet>,
    /// Made on the first question: most sets are never asked about.
    by_id: OnceLock<HashMap<Id, Intent>>,
}

impl HeldSet {
    fn new(set: Arc<IntentSet>) -> Self {
        Self { set, by_id: OnceLock::new() }
    }

    /// The set itself.
    pub fn set(&self) -> &Arc<IntentSet> {
        &self.set
    }

    /// Whether the intent with this id is among them exactly as `body` says.
    pub fn holds(&self, id: &Id, body: &IntentBody) -> bool {
        let by_id = self.by_id.get_or_init(|| {
            let identified =
                |intent: &Intent| Some((intent_id(intent.strategy()?, intent.pod_uid()), intent.clone()));
            self.set.iter().filter_map(identified).collect()
        });
        by_id.get(id).is_some_and(|intent| Borrow::<IntentBody>::borrow(intent) == body)
    }
}

/// All nodes whose dm is known, by name.
#[derive(Debug, Clone, Default)]
pub struct NodesStatus {
    nodes: BTreeMap<NodeName, NodeStatus>,
}

impl NodesStatus {
    /// One node, if its dm is known.
    pub fn get(&self, node: &str) -> Option<&NodeStatus> {
        self.nodes.get(node)
    }

    /// All nodes, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeName, &NodeStatus)> {
        self.nodes.iter()
    }

    pub(super) fn up(&mut self, node: &NodeName, endpoint: &Endpoint) {
        let status = self.nodes.entry(Arc::clone(node)).or_default();
        status.url.clone_from(&endpoint.url);
    }

    pub(super) fn gone(&mut self, node: &NodeName) {
        self.nodes.remove(node);
    }

    /// Takes in a note; gives what is to be stored, if that changed.
    pub(super) fn apply(&mut self, note: Note, at_ms: i64) -> Option<NodeAck> {
        let (Note::Accepted { node, .. }
        | Note::Failed { node, .. }
        | Note::Reachable { node }
        | Note::Unreachable { node }) = &note
        else {
            return None;
        };
        let name = Arc::clone(node);
        let status = self.nodes.get_mut(&name)?;
        let before = (status.pair, status.error.clone());
        match note {
            Note::Accepted { pair, set, .. } => {
                status.pair = pair;
                status.held = Some(Arc::new(HeldSet::new(set)));
                status.error = None;
            }
            Note::Failed { error, .. } => status.error = Some(error),
            Note::Reachable { .. } => status.reachable = Some(true),
            Note::Unreachable { .. } => status.reachable = Some(false),
            Note::NeedEpoch { .. } => {}
        }
        status.at_ms = at_ms;
        let changed = before != (status.pair, status.error.clone());
        changed.then(|| NodeAck {
            node: name.to_string(),
            // A set without a number is the zeroth.
            epoch: status.pair.map_or(0, |pair| pair.epoch),
            generation: status.pair.map_or(0, |pair| pair.generation),
            error: status.error.clone(),
            at_ms,
        })
    }
}
