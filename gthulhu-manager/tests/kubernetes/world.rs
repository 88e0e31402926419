//! Everything that the story needs, and waiting for what it tells.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gthulhu_http::testkit::TestClient;
use gthulhu_local::error::LocalError;
use gthulhu_local::pods::cgroup::Base;
use gthulhu_local::pods::{Pod, PodSpec, ProcessSpec};
use gthulhu_local::state::StateDir;
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use super::cluster::{Cluster, DM_ACCOUNT, DM_LABEL, NewPod, SYSTEM};
use super::daemons::{Dm, Manager, Observer};
use super::fake::Impostor;
use super::servers::Servers;

/// What the manager is allowed to do, as it is shipped.
const RBAC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deployment/rbac/manager.yaml");

/// The nodes, each with a decision maker of its own.
pub(crate) const NODES: [&str; 2] = ["worker-1", "worker-2"];

/// A machine with much else to do takes its time; what is awaited comes in moments.
const WITHIN: Duration = Duration::from_secs(60);

/// A cluster of two nodes, both on this machine.
pub(crate) struct World {
    pub(crate) servers: Servers,
    pub(crate) cluster: Cluster,
    pub(crate) manager: Manager,
    pub(crate) user: TestClient,
    pub(crate) dms: [Dm; 2],
    pub(crate) observers: [Arc<Observer>; 2],
    pub(crate) impostors: Vec<Impostor>,
    base: Base,
    links: StateDir,
}

impl World {
    pub(crate) async fn start() -> Result<Self, LocalError> {
        let base = Base::find()?;
        let servers = Servers::start().await?;
        let cluster = Cluster(servers.admin().await?);
        cluster.namespace(SYSTEM).await;
        cluster.namespace("shop").await;
        cluster.namespace("tenant").await;
        drop(cluster.apply(Path::new(RBAC)).await);
        let prepared = Manager::prepare()?;
        let dms = [
            Dm::start(&base, &prepared, NODES[0], "127.0.0.2").await?,
            Dm::start(&base, &prepared, NODES[1], "127.0.0.3").await?,
        ];
        let observers = [
            Arc::new(Observer::of(&dms[0], &prepared).await),
            Arc::new(Observer::of(&dms[1], &prepared).await),
        ];
        for (node, dm) in NODES.into_iter().zip(&dms) {
            cluster.node(node).await;
            cluster.decision_maker(&dm_pod(node, dm.port), node, &dm.ip).await;
        }
        let manager = Manager::start(prepared, &servers.kubeconfig()).await?;
        let user = manager.administrator().await;
        let (impostors, links) = (Vec::new(), StateDir::temporary()?);
        Ok(Self { servers, cluster, manager, user, dms, observers, impostors, base, links })
    }

    /// What a kubelet does with a pod on its node: it starts the container's process.
    pub(crate) fn run(&self, pod: &NewPod<'_>, uid: &str) -> Pod {
        let spec = PodSpec {
            name: pod.name.to_owned(),
            namespace: pod.namespace.to_owned(),
            labels: [(pod.label.0.to_owned(), pod.label.1.to_owned())].into(),
            leader: ProcessSpec::new(pod.label.1, 0),
            children: Vec::new(),
        };
        Pod::start_as(&self.base, self.links.path(), uid, spec).unwrap()
    }

    /// Waits until the decision maker of node number `node` gives its scheduler exactly these rows.
    pub(crate) async fn until_rows(&self, node: usize, wanted: &[(u64, i64)]) {
        until(async || {
            let rows = self.observers[node].rows().await;
            if rows == wanted { Ok(()) } else { Err(format!("rows {rows:?}, wanted {wanted:?}")) }
        })
        .await;
    }

    /// Waits until the user's intents are for exactly these pods, by uid and node.
    pub(crate) async fn until_intents(&self, wanted: &[(&str, &str)]) {
        until(async || {
            let intents = self.intents().await;
            let same = intents.len() == wanted.len()
                && wanted
                    .iter()
                    .all(|(uid, node)| intents.contains(&((*uid).to_owned(), (*node).to_owned())));
            if same { Ok(()) } else { Err(format!("intents {intents:?}, wanted {wanted:?}")) }
        })
        .await;
    }

    /// The user's intents, by uid and node.
    pub(crate) async fn intents(&self) -> Vec<(String, String)> {
        let told = self.user.get("/api/v1/intents/self").await.data();
        let word = |intent: &Value, key: &str| intent[key].as_str().unwrap().to_owned();
        let intent = |intent: &Value| (word(intent, "PodID"), word(intent, "NodeID"));
        told["intents"].as_array().unwrap().iter().map(intent).collect()
    }

    /// What `/readyz?verbose` says, with its status.
    pub(crate) async fn readiness(&self) -> (u16, String) {
        let answer = self.manager.stranger().get("/readyz?verbose").await;
        (answer.status, answer.text().to_owned())
    }

    /// Waits until `/readyz?verbose` says this or does not, being ready all the while.
    pub(crate) async fn until_readiness(&self, word: &str, says: bool) {
        until(async || {
            let (status, text) = self.readiness().await;
            assert_eq!(status, 200, "{text}");
            if text.contains(word) == says { Ok(()) } else { Err(text) }
        })
        .await;
    }
}

/// The pod of a node's decision maker.
pub(crate) fn dm_pod(node: &'static str, port: u16) -> NewPod<'static> {
    NewPod { namespace: SYSTEM, name: node, label: DM_LABEL, service_account: DM_ACCOUNT, port }
}

/// Creates a strategy for the pods with this value of the label `app`; its id.
pub(crate) async fn create(user: &TestClient, app: &str, slice: i64) -> String {
    let reply = user.post("/api/v1/strategies", &strategy(app, slice)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("location").unwrap().rsplit('/').next().unwrap().to_owned()
}

/// A strategy as users write it.
pub(crate) fn strategy(app: &str, slice: i64) -> Value {
    json!({"labelSelectors": [{"key": "app", "value": app}], "priority": 10, "executionTime": slice})
}

/// Deletes it.
pub(crate) async fn delete(user: &TestClient, id: &str) {
    assert_eq!(user.delete("/api/v1/strategies", &json!({"strategyId": id})).await.status, 200);
}

/// Looks again and again until it sees; what it sees instead is the failure.
pub(crate) async fn until(mut look: impl AsyncFnMut() -> Result<(), String>) {
    let (deadline, mut ticks) = (Instant::now() + WITHIN, interval(Duration::from_millis(25)));
    loop {
        ticks.tick().await;
        match look().await {
            Ok(()) => return,
            Err(instead) => assert!(Instant::now() < deadline, "{instead}"),
        }
    }
}
