//! Between the service and the nodes: what should be held goes out, what is held comes back.
//!
//! ```text
//!   Service (strategies)  --changed--.
//!                                     >-- desired() --> NodesHandle --> every node
//!   Cluster (pods)        --changed--'
//!   Service  <-- epochs, acks, "does it hold this?" -- driver
//! ```

mod screen;

use std::sync::{Arc, OnceLock};

use gthulhu_lib::id::intent_id;
use gthulhu_lib::intent::Limits;
use gthulhu_lib::wire::IntentBody;
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::domain::NodeAck;
use crate::nodes::NodeSets;
use crate::nodes::driver::{AckSink, EpochSource, NodeStatus, NodesHandle, PortError};
use crate::service::Service;
use crate::service::ports::NodeStates;
use crate::store::Standing;

pub use screen::Screen;
pub(crate) use screen::screened;

/// What the nodes hold, as the service asks for it. Until the driver runs, nobody holds anything.
#[derive(Default)]
pub struct NodeView(OnceLock<NodesHandle>);

impl NodeView {
    /// Connects the view to the driver; only the first call counts.
    pub fn connect(&self, nodes: NodesHandle) {
        // A second driver in one process would be a mistake of ours; the first stays.
        let _ = self.0.set(nodes);
    }

    fn of<T>(&self, node: &str, look: impl FnOnce(&NodeStatus) -> T) -> Option<T> {
        self.0.get()?.status().get(node).map(look)
    }
}

impl NodeStates for NodeView {
    fn holds(&self, node: &str, body: &IntentBody) -> bool {
        let strategy = body.strategy_id.as_deref().and_then(|id| id.parse().ok());
        let Some(strategy) = strategy else { return false };
        let id = intent_id(strategy, &body.pod_id);
        self.of(node, |status| status.held.as_ref().is_some_and(|held| held.holds(&id, body)))
            .unwrap_or(false)
    }

    fn last_error(&self, node: &str) -> Option<String> {
        self.of(node, |status| status.error.clone())?
    }

    fn generation(&self, node: &str) -> u64 {
        self.of(node, |status| status.pair.map_or(0, |pair| pair.generation)).unwrap_or(0)
    }

    fn reachable(&self, node: &str) -> Option<bool> {
        self.of(node, |status| status.reachable)?
    }
}

/// The service as the driver's place for epochs and acknowledgements.
pub struct Ledger(pub Arc<Service>);

impl EpochSource for Ledger {
    fn next_epoch(&self, above: u64) -> Result<u64, PortError> {
        // The store is one process's only, and takes no epoch from any other: whoever holds it is the only pusher.
        Ok(self.0.next_epoch(above)?)
    }
}

impl AckSink for Ledger {
    fn record(&self, acks: &[NodeAck]) -> Result<(), PortError> {
        Ok(self.0.record_acks(acks)?)
    }
}

/// Lets the driver speak to nodes only while this process is the one that may push. Ends with the store.
pub async fn obey(mut standing: watch::Receiver<Standing>, nodes: NodesHandle) {
    loop {
        let holds = *standing.borrow_and_update() == Standing::Holds;
        nodes.pause(!holds);
        if standing.changed().await.is_err() {
            return;
        }
    }
}

/// Keeps the driver told, until it is aborted. Incomplete knowledge of the pods tells it nothing.
pub async fn run(service: Arc<Service>, cluster: Arc<dyn Cluster>, nodes: NodesHandle, limits: Limits) {
    let (mut stored, mut seen) = (service.changed(), cluster.changed());
    let mut screen = Screen::new(limits);
    loop {
        stored.mark_unchanged();
        seen.mark_unchanged();
        let (worker, told) = (Arc::clone(&service), nodes.clone());
        let round = tokio::task::spawn_blocking(move || {
            let sets = wanted(&worker, &mut screen, |part| told.desired(part));
            (screen, sets)
        });
        match round.await {
            Ok((kept, sets)) => {
                screen = kept;
                match sets {
                    Some(sets) => nodes.desired(sets),
                    None => {
                        tracing::debug!("the view of the cluster is not complete: nodes keep what they have");
                    }
                }
            }
            Err(error) => {
                screen = Screen::new(limits);
                tracing::error!(%error, "intents could not be computed");
            }
        }
        let alive = tokio::select! {
            changed = stored.changed() => changed.is_ok(),
            changed = seen.changed() => changed.is_ok(),
        };
        if !alive {
            return;
        }
    }
}

/// Every node's full set; `None` while pods may be missing from the view. `part`: see [`Screen::sets`].
pub fn wanted(service: &Service, screen: &mut Screen, part: impl FnMut(NodeSets)) -> Option<NodeSets> {
    if let Err(error) = service.forget_vanished_pods() {
        tracing::warn!(%error, "exclusions of vanished pods stay for now");
    }
    Some(screen.sets(&service.wanted()?, part))
}
