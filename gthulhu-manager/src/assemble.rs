//! Joins the parts of a running manager: what remains is to listen.

use std::collections::BTreeMap;
use std::sync::Arc;

use gthulhu_http::random;
use gthulhu_lib::intent::Limits;
use tokio::task::JoinHandle;

use crate::api::App;
use crate::cluster::Cluster;
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::nodes::client::DmClient;
use crate::nodes::machine::Options;
use crate::nodes::{Endpoint, NodeName, driver};
use crate::pusher::{self, Ledger, NodeView};
use crate::roster;
use crate::service::{Rules, Service};
use crate::store::{Store, StoreError};
use crate::tokens::UserTokens;

/// What a manager is made of.
pub struct Parts<'a> {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Where pods come from.
    pub cluster: Arc<dyn Cluster>,
    /// Whose signature users' tokens bear.
    pub keys: &'a Keyring,
    /// What can be set.
    pub rules: Rules,
    /// Speaks to decision makers.
    pub client: DmClient,
}

/// A manager that serves nobody yet. Dropping it stops everything that it runs.
pub struct Manager {
    /// What the routes need.
    pub app: Arc<App>,
    tasks: Tasks,
    limits: Limits,
}

/// Tasks that end with their owner.
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Reads the store and starts the driver; call it inside a runtime. No node is spoken to before
/// [`Manager::push_to`].
pub fn assemble(parts: Parts<'_>) -> Result<Manager, StoreError> {
    let Parts { store, cluster, keys, rules, client } = parts;
    let limits = rules.limits;
    let view = Arc::new(NodeView::default());
    let service = Arc::new(Service::open(store, Arc::clone(&cluster), Arc::clone(&view) as _, rules)?);
    let ledger = Arc::new(Ledger(Arc::clone(&service)));
    // A seed of this process: managers that start together do not knock together.
    let options = Options { seed: u64::from_le_bytes(random::bytes()), ..Options::default() };
    let (nodes, driver) = driver::spawn(options, client, Arc::clone(&ledger) as _, ledger);
    view.connect(nodes.clone());
    let app = Arc::new(App {
        tokens: UserTokens::new(&keys.user),
        metrics: Metrics::new(),
        service,
        nodes,
        cluster,
    });
    Ok(Manager { app, tasks: Tasks(vec![driver]), limits })
}

impl Manager {
    /// From now on these nodes are kept at their intents, and those whose decision makers the cluster knows, which are
    /// spoken to by `scheme`, `http` or `https`.
    pub fn push_to(&mut self, endpoints: BTreeMap<NodeName, Arc<Endpoint>>, scheme: &'static str) {
        let App { service, cluster, nodes, .. } = &*self.app;
        if let Some(standing) = service.standing() {
            self.tasks.0.push(tokio::spawn(pusher::obey(standing, nodes.clone())));
        }
        let driver = nodes.clone();
        let roster = roster::run(Arc::clone(cluster), endpoints, scheme, move |all| driver.endpoints(all));
        self.tasks.0.push(tokio::spawn(roster));
        let run = pusher::run(Arc::clone(service), Arc::clone(cluster), nodes.clone(), self.limits);
        self.tasks.0.push(tokio::spawn(run));
    }
}
