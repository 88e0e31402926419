//! Which pods are decision makers.
//!
//! Labels alone prove nothing: whoever may make a pod anywhere may give it any. A decision maker is a pod in one namespace,
//! with the labels and under the service account that the configuration names; who may make such pods there is a matter
//! of that namespace's administration.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use gthulhu_lib::derive::Pod;
use gthulhu_lib::selector::Selector;
use serde::Deserialize;

use crate::cluster::DecisionMaker;

/// Names under which a decision maker's port is found, in this order.
const API_PORTS: [&str; 5] = ["http", "api", "sidecar", "dm", "decisionmaker"];
/// Names of ports that are something else.
const OTHER_PORTS: [&str; 3] = ["monitor-metrics", "metrics", "prometheus"];

/// What makes a pod a decision maker; all three must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finder {
    /// The namespace it is in.
    pub namespace: String,
    /// The labels it has.
    pub labels: Vec<Selector>,
    /// The service account it runs under.
    pub service_account: String,
}

/// A pod that is a decision maker, and may be of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    node: String,
    /// As the API writes it: the text of a later time is greater.
    created: String,
    address: SocketAddr,
    ready: bool,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    creation_timestamp: Option<String>,
    #[serde(default)]
    deletion_timestamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    service_account_name: Option<String>,
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    ports: Option<Vec<Port>>,
}

#[derive(Deserialize)]
struct Port {
    #[serde(default)]
    name: Option<String>,
    #[serde(rename = "containerPort")]
    number: u16,
    #[serde(default)]
    protocol: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default, rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(default)]
    conditions: Option<Vec<Condition>>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl Finder {
    /// What the pod offers as a decision maker, if it is one that can be spoken to: on a node, with an address, not on its way
    /// out.
    /// `raw` is the object that `pod` was read from.
    pub(super) fn judge(&self, pod: &Pod, raw: &str) -> Option<Candidate> {
        let labelled = self.labels.iter().all(|label| label.matches(&pod.labels));
        let node = pod.node.as_ref().filter(|_| !pod.terminal)?;
        if pod.namespace != self.namespace || !labelled {
            return None;
        }
        let Object { metadata, spec, status } = serde_json::from_str(raw).ok()?;
        if spec.service_account_name.as_deref() != Some(self.service_account.as_str())
            || metadata.deletion_timestamp.is_some()
        {
            return None;
        }
        let ready = status.is_ready();
        let host: IpAddr = status.pod_ip?.parse().ok()?;
        let address = SocketAddr::new(host, spec.api_port()?);
        Some(Candidate {
            node: node.clone(),
            created: metadata.creation_timestamp.unwrap_or_default(),
            address,
            ready,
        })
    }
}

impl Status {
    fn is_ready(&self) -> bool {
        let ready = |condition: &Condition| condition.kind == "Ready" && condition.status == "True";
        self.conditions.iter().flatten().any(ready)
    }
}

impl Spec {
    /// By name; else the first that is not known to be another.
    fn api_port(&self) -> Option<u16> {
        let tcp = |port: &&Port| port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
        let ports =
            || self.containers.iter().flat_map(|container| container.ports.iter().flatten()).filter(tcp);
        let called = |name: &str| ports().find(|port| port.name.as_deref() == Some(name));
        let other = |port: &&Port| port.name.as_deref().is_some_and(|name| OTHER_PORTS.contains(&name));
        let found = API_PORTS.into_iter().find_map(called).or_else(|| ports().find(|port| !other(port)));
        found.map(|port| port.number).filter(|port| *port > 0)
    }
}

/// All candidates, and which of them are the decision makers of their nodes.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// By the uids of their pods. Each was ready once.
    candidates: HashMap<String, Candidate>,
    /// The candidates are others than when they were chosen from.
    stale: bool,
    by_node: Arc<BTreeMap<String, DecisionMaker>>,
}

impl Chosen {
    /// The decision makers by the names of their nodes.
    pub(super) fn by_node(&self) -> Arc<BTreeMap<String, DecisionMaker>> {
        Arc::clone(&self.by_node)
    }

    /// What the pod with this uid offers now. One that is not ready yet is nobody: its address may answer to nothing. One
    /// that was ready goes on being itself: whether it answers is seen by asking it, and it may be of use although its node's
    /// scheduler is not.
    pub(super) fn put(&mut self, uid: &str, candidate: Option<Candidate>) {
        let known = self.candidates.get(uid);
        let candidate = candidate.filter(|candidate| candidate.ready || known.is_some());
        if known == candidate.as_ref() {
            return;
        }
        match candidate {
            Some(candidate) => drop(self.candidates.insert(uid.to_owned(), candidate)),
            None => drop(self.candidates.remove(uid)),
        }
        self.stale = true;
    }

    /// Forgets all but those whose uids `stays` approves of.
    pub(super) fn retain(&mut self, stays: impl Fn(&str) -> bool) {
        let before = self.candidates.len();
        self.candidates.retain(|uid, _| stays(uid));
        self.stale |= self.candidates.len() != before;
    }

    /// Chooses anew, if there is anything to choose; looks at all candidates. Whether any node's is another now.
    pub(super) fn choose(&mut self) -> bool {
        if !std::mem::take(&mut self.stale) {
            return false;
        }
        let best = best(&self.candidates);
        let changed = *self.by_node != best;
        if changed {
            self.by_node = Arc::new(best);
        }
        changed
    }
}

/// The decision maker of each node: of several one that is ready, and of those the newest, which is the one that replaces
/// the others.
fn best(candidates: &HashMap<String, Candidate>) -> BTreeMap<String, DecisionMaker> {
    let mut best: BTreeMap<&str, (bool, &str, &str)> = BTreeMap::new();
    for (uid, candidate) in candidates {
        let rank = (candidate.ready, candidate.created.as_str(), uid.as_str());
        best.entry(&candidate.node).and_modify(|known| *known = rank.max(*known)).or_insert(rank);
    }
    let made = |(node, (_, _, uid)): (&str, (bool, &str, &str))| {
        let decision_maker = DecisionMaker { address: candidates[uid].address, instance: uid.to_owned() };
        (node.to_owned(), decision_maker)
    };
    best.into_iter().map(made).collect()
}

#[cfg(test)]
mod tests;
