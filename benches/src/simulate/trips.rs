//! The floor of a full push: as many calls at a time as the manager makes, of sets that are ready, by nobody else.

use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gthulhu_http::client::{Client, ClientOptions};
use gthulhu_http::keys::PrivateKey;
use gthulhu_http::tls::{ClientTls, Live, Pem, Source};
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::wire::IntentBody;
use gthulhu_manager::nodes::Pair;
use gthulhu_manager::nodes::client::{DmClient, Tokens};
use gthulhu_manager::nodes::machine::{Options, Outcome as Ended, Request};
use tokio::task::JoinSet;

use super::scenes::Scenes;
use super::site;
use crate::Outcome;

/// Rounds; the median counts, and the first connects.
const ROUNDS: u64 = 11;

/// One round of calls at the same time.
pub(super) struct Trip {
    wall: Duration,
    calls: u32,
}

impl Trip {
    /// What so many calls take, round after round.
    pub(super) fn of(&self, calls: u32) -> Duration {
        self.wall.mul_f64(f64::from(calls) / f64::from(self.calls))
    }
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bare pushes at a time {:.1?}", self.calls, self.wall)
    }
}

/// Pushes sets of the usual size to decision makers that the manager does not know.
pub(super) async fn round(scenes: &Scenes) -> Outcome<Trip> {
    let calls = Options::default().concurrency.min(scenes.size().nodes as usize);
    let mut strangers = scenes.strangers(calls)?;
    let (client, set) = (Arc::new(client(scenes)?), Arc::new(usual(scenes)?));
    let mut walls = Vec::new();
    for generation in 1..=ROUNDS {
        let request = Request::Push { pair: Pair { epoch: 1, generation }, set: Arc::clone(&set) };
        let mut calls = JoinSet::new();
        let begun = Instant::now();
        for node in &strangers {
            let (client, endpoint, request) = (Arc::clone(&client), node.endpoint(), request.clone());
            calls.spawn(async move { client.perform(&endpoint, &request).await });
        }
        while let Some(ended) = calls.join_next().await {
            let ended = ended?;
            if !matches!(ended, Ended::Accepted) {
                return Err(format!("a bare push came to {ended:?}").into());
            }
        }
        walls.push(begun.elapsed());
    }
    for node in &mut strangers {
        node.stop().await?;
    }
    walls.remove(0);
    walls.sort_unstable();
    Ok(Trip { wall: walls[walls.len() / 2], calls: u32::try_from(calls)? })
}

/// The manager's own client, with its certificate and key.
fn client(scenes: &Scenes) -> Outcome<DmClient> {
    let dir = scenes.manager_dir();
    let file = |name: &str| Some(Pem::File(dir.join("certs").join(name)));
    let source = Source {
        section: "mtls",
        cert: file("manager.crt"),
        key: file("manager.key"),
        ca: Some(file("ca.crt")),
    };
    let live = Live::load(source).map_err(|fault| format!("{fault:?}"))?;
    let client = Client::with_tls(ClientOptions::default(), ClientTls::new(live, "", ""));
    let key = PrivateKey::from_pem(&fs::read_to_string(dir.join("keys/dm-token.key"))?)?;
    Ok(DmClient::new(client, Tokens::minted(&key, "bench")))
}

/// What a node holds while a strategy more is there.
fn usual(scenes: &Scenes) -> Outcome<IntentSet> {
    let node = site::node(0);
    let pods = site::pods(scenes.size()).filter(|pod| pod.node.as_deref() == Some(&*node));
    let more = |pods: &Vec<_>| pods.len() / site::MEANT as usize;
    let pods: Vec<_> = pods.collect();
    let body = |pod: &Arc<gthulhu_lib::derive::Pod>| IntentBody {
        pod_name: pod.name.clone(),
        pod_id: pod.uid.clone(),
        node_id: node.to_string(),
        k8s_namespace: pod.namespace.clone(),
        command_regex: "^worker-1".into(),
        priority: 5,
        execution_time: 5_000_000,
        pod_labels: pod.labels.clone(),
        strategy_id: Some("0123456789abcdef01234567".into()),
    };
    let bodies = pods.iter().chain(pods.iter().take(more(&pods))).map(body).collect();
    Ok(IntentSet::check(bodies, &Limits::default())?)
}
