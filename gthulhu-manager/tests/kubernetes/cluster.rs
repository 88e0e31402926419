//! What a scheduler, a kubelet and an administrator do to a cluster.

use std::path::Path;

use serde_json::{Value, json};

use super::api::Api;

/// The namespace of everything that is ours.
pub(crate) const SYSTEM: &str = "gthulhu-system";
/// What the configuration asks of a decision maker.
pub(crate) const DM_LABEL: (&str, &str) = ("app", "decisionmaker");
pub(crate) const DM_ACCOUNT: &str = "gthulhu-decisionmaker";

/// A cluster as its administrator sees it.
pub(crate) struct Cluster(pub(crate) Api);

/// A pod to make.
pub(crate) struct NewPod<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) label: (&'a str, &'a str),
    pub(crate) service_account: &'a str,
    pub(crate) port: u16,
}

impl<'a> NewPod<'a> {
    /// An ordinary pod.
    pub(crate) fn web(name: &'a str) -> Self {
        Self { namespace: "shop", name, label: ("app", "web"), service_account: "default", port: 80 }
    }

    fn path(&self) -> String {
        path(self.namespace, self.name)
    }
}

fn path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods/{name}")
}

impl Cluster {
    /// Everything in the manifest, as `kubectl apply` does it: what is there already, stays. The objects as the API has them.
    pub(crate) async fn apply(&self, manifest: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(manifest).unwrap();
        let mut applied = Vec::new();
        for object in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
            let all = collection(&object);
            let one = format!("{all}/{}", object["metadata"]["name"].as_str().unwrap());
            applied.push(match self.0.try_get(&one).await.unwrap() {
                (200, there) => serde_json::from_str(&there).unwrap(),
                _ => self.0.create(&all, &object).await,
            });
        }
        applied
    }

    pub(crate) async fn namespace(&self, name: &str) {
        self.0.create("/api/v1/namespaces", &json!({"metadata": {"name": name}})).await;
    }

    /// A node that takes pods.
    pub(crate) async fn node(&self, name: &str) {
        self.0.create("/api/v1/nodes", &json!({"metadata": {"name": name}})).await;
        let status = json!({"status": {"conditions": [ready()]}});
        self.0.patch(&format!("/api/v1/nodes/{name}/status"), &status).await;
    }

    /// Makes a pod, which waits for a node; its uid.
    pub(crate) async fn pod(&self, new: &NewPod<'_>) -> String {
        let pod = json!({
            "metadata": {"name": new.name, "labels": {new.label.0: new.label.1}},
            "spec": {"serviceAccountName": new.service_account, "containers": [
                {"name": "main", "image": "none", "ports": [
                    {"name": "metrics", "containerPort": 9}, {"name": "http", "containerPort": new.port}]}]},
        });
        let path = new.path();
        let pods = path.rsplit_once('/').unwrap().0;
        let made = self.0.create(pods, &pod).await;
        made["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// What a scheduler does.
    pub(crate) async fn bind(&self, new: &NewPod<'_>, node: &str) {
        let target = json!({"apiVersion": "v1", "kind": "Node", "name": node});
        let binding =
            json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": new.name}, "target": target});
        self.0.create(&format!("{}/binding", new.path()), &binding).await;
    }

    /// What a kubelet says of a pod that runs and answers.
    pub(crate) async fn runs_at(&self, new: &NewPod<'_>, ip: &str) {
        let status =
            json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [ready()]});
        self.0.patch(&format!("{}/status", new.path()), &json!({"status": status})).await;
    }

    /// What a kubelet says of a pod that has done its work.
    pub(crate) async fn succeeded(&self, new: &NewPod<'_>) {
        self.0.patch(&format!("{}/status", new.path()), &json!({"status": {"phase": "Succeeded"}})).await;
    }

    /// The pod is gone at once.
    pub(crate) async fn remove(&self, new: &NewPod<'_>) {
        self.0.delete(&new.path(), &json!({"gracePeriodSeconds": 0})).await;
    }

    /// A decision maker's pod that listens at this address, on this node.
    pub(crate) async fn decision_maker(&self, new: &NewPod<'_>, node: &str, ip: &str) {
        self.pod(new).await;
        self.bind(new, node).await;
        self.runs_at(new, ip).await;
    }
}

/// Where objects of this kind are, in its namespace if it has one.
fn collection(object: &Value) -> String {
    let word = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind) = (word("/apiVersion"), word("/kind").to_lowercase());
    let plural = kind.strip_suffix('y').map_or(format!("{kind}s"), |kind| format!("{kind}ies"));
    let root = if version.contains('/') { "apis" } else { "api" };
    match word("/metadata/namespace") {
        namespace if namespace.is_empty() => format!("/{root}/{version}/{plural}"),
        namespace => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
    }
}

fn ready() -> Value {
    json!({"type": "Ready", "status": "True"})
}
