//! A v1 Pod as far as we read it, whoever wrote it: a file or the Kubernetes API.

use std::collections::BTreeMap;

use gthulhu_lib::derive::Pod;
use gthulhu_lib::intent::{check_labels, check_namespace};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Longest uid or name, in bytes.
const NAME_BYTES_MAX: usize = 253;
/// A static pod without a uid gets the digest of its manifest for one.
const STATIC_UID_DIGITS: usize = 32;

/// The fields that matter to intents; all others are skipped while reading.
#[derive(Deserialize)]
pub(super) struct PodObject {
    metadata: Metadata,
    #[serde(default)]
    spec: Option<Spec>,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Metadata {
    uid: String,
    name: String,
    namespace: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(default, rename = "kubernetes.io/config.mirror")]
    mirror: Option<IgnoredAny>,
    #[serde(default, rename = "kubernetes.io/config.hash")]
    hash: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
}

#[derive(Default, Deserialize)]
struct Status {
    phase: Option<String>,
}

impl Annotations {
    /// The uid that the node gives the pod, if this is the mirror of a static one: the API knows the mirror by a uid of its
    /// own, and cgroups are named after the pod.
    fn static_uid(self) -> Option<String> {
        let hash = self.hash.filter(|_| self.mirror.is_some())?;
        let is_digest =
            hash.len() == STATIC_UID_DIGITS && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_digest.then(|| hash.to_ascii_lowercase())
    }
}

impl PodObject {
    /// The object's own uid.
    pub(super) fn uid(&self) -> &str {
        &self.metadata.uid
    }

    /// Holds the object to the rules that intents are held to, so that no pod can spoil its node's set. The pod's uid is the
    /// one by which its processes are found, which of a static pod is not the object's.
    pub(super) fn check(self) -> Result<Pod, String> {
        let Metadata { uid, name, namespace, labels, annotations } = self.metadata;
        let namespace = namespace.filter(|text| !text.is_empty()).unwrap_or_else(|| "default".to_owned());
        let labels = labels.unwrap_or_default();
        let node = self.spec.unwrap_or_default().node_name.filter(|node| !node.is_empty());
        check_name("metadata.uid", &uid)?;
        check_name("metadata.name", &name)?;
        let uid = annotations.and_then(Annotations::static_uid).unwrap_or(uid);
        if let Some(node) = &node {
            check_name("spec.nodeName", node)?;
        }
        check_namespace("metadata.namespace", &namespace).map_err(|fault| fault.to_string())?;
        check_labels("metadata.labels", &labels).map_err(|fault| fault.to_string())?;
        let phase = self.status.unwrap_or_default().phase;
        let terminal = matches!(phase.as_deref(), Some("Succeeded" | "Failed"));
        Ok(Pod { uid, name, namespace, node, labels: labels.into(), terminal })
    }
}

/// A uid or a name that can be repeated anywhere.
pub(super) fn check_name(field: &str, name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(format!("{field} must be 1 to {NAME_BYTES_MAX} bytes without control characters"));
    }
    Ok(())
}
