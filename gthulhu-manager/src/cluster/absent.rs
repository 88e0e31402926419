//! No source of pods: the manager serves all the same, and says what is missing.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Cluster, ClusterView};

/// A cluster of which nothing is known and never will be.
pub struct Absent {
    view: Arc<ClusterView>,
    changed: watch::Sender<u64>,
}

impl Absent {
    /// `reason`: one sentence for readiness and for whoever wants to create a strategy.
    pub fn new(reason: &str) -> Self {
        let view = ClusterView { reason: Some(reason.to_owned()), ..ClusterView::default() };
        Self { view: Arc::new(view), changed: watch::Sender::new(0) }
    }
}

impl Cluster for Absent {
    fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.view)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
