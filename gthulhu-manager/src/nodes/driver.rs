//! The thin loop around the machine: performs its calls, keeps its time, shows and stores what it notes.

mod acks;
mod ask;
mod run;
mod status;
mod turns;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::client::DmClient;
use super::machine::Options;
use super::{Endpoint, NodeName, NodeSets};
use crate::domain::NodeAck;

pub use ask::{AskError, Candidate};
use turns::Turns;

pub use status::{HeldSet, NodeStatus, NodesStatus};

/// Why a port could not do its work; logged.
pub type PortError = Box<dyn Error + Send + Sync>;

/// Where epochs come from. Called outside the loop, on a thread that may block.
pub trait EpochSource: Send + Sync + 'static {
    /// Makes sure that this manager is the only pusher, and takes an epoch greater than `above` that no one was
    /// ever given before.
    fn next_epoch(&self, above: u64) -> Result<u64, PortError>;
}

/// Where the answers of nodes are kept. Called outside the loop, on a thread that may block.
pub trait AckSink: Send + Sync + 'static {
    /// Stores the last answer of each of these nodes; no two are from the same node.
    fn record(&self, acks: &[NodeAck]) -> Result<(), PortError>;
}

/// The way in: says what nodes there are and what they should hold, and sees how they are. Clones share one loop,
/// which ends when the last of them is gone.
#[derive(Clone)]
pub struct NodesHandle {
    client: Arc<DmClient>,
    /// Whoever asks a node waits for a turn.
    turns: Arc<Turns>,
    inputs: Arc<Inputs>,
    status: watch::Receiver<Arc<NodesStatus>>,
}

/// What the loop is told; only the latest word counts.
struct Inputs {
    endpoints: watch::Sender<BTreeMap<NodeName, Arc<Endpoint>>>,
    desired: watch::Sender<NodeSets>,
    paused: watch::Sender<bool>,
}

/// Starts the loop. It ends when the last handle is gone, after storing what is still to be stored.
pub fn spawn(
    options: Options,
    client: DmClient,
    epochs: Arc<dyn EpochSource>,
    acks: Arc<dyn AckSink>,
) -> (NodesHandle, JoinHandle<()>) {
    let client = Arc::new(client);
    let (endpoints, endpoints_seen) = watch::channel(BTreeMap::new());
    let (desired, desired_seen) = watch::channel(NodeSets::default());
    let (paused, paused_seen) = watch::channel(false);
    let (publisher, status) = watch::channel(Arc::default());
    let inputs = run::Watched { endpoints: endpoints_seen, desired: desired_seen, paused: paused_seen };
    let run = run::Run::new(options, Arc::clone(&client), epochs, acks, publisher);
    let task = tokio::spawn(run.until_unheard(inputs));
    let turns = Arc::new(Turns::new());
    (NodesHandle { client, turns, inputs: Arc::new(Inputs { endpoints, desired, paused }), status }, task)
}

impl NodesHandle {
    /// Says where all dms are. Each new or moved one is compared at once; those left out are forgotten.
    pub fn endpoints(&self, endpoints: BTreeMap<NodeName, Arc<Endpoint>>) {
        self.inputs.endpoints.send_replace(endpoints);
    }

    /// Says what all nodes should hold.
    pub fn desired(&self, sets: NodeSets) {
        self.inputs.desired.send_replace(sets);
    }

    /// While it is paused no set is compared or pushed: such calls that are on their way are dropped, and afterwards every dm
    /// is compared anew. Questions of people are asked all the same.
    pub fn pause(&self, paused: bool) {
        self.inputs.paused.send_if_modified(|before| std::mem::replace(before, paused) != paused);
    }

    /// How the nodes are now.
    pub fn status(&self) -> Arc<NodesStatus> {
        Arc::clone(&self.status.borrow())
    }

    /// How the nodes are, to be waited on.
    pub fn changed(&self) -> watch::Receiver<Arc<NodesStatus>> {
        self.status.clone()
    }
}

#[cfg(test)]
mod tests;
