//! Objects as the types of Kubernetes see them. A field that a type does not know is ignored when it is read, so the object
//! is written again, and what is missing then was not understood.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How many kinds [`check`] knows.
pub(crate) const KINDS: usize = 13;

/// What is wrong with the object, if anything.
pub(crate) fn check(object: &Value) -> Result<(), String> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "Namespace" => understood::<Namespace>(object),
        "ServiceAccount" => understood::<ServiceAccount>(object),
        "Role" => understood::<Role>(object),
        "RoleBinding" => understood::<RoleBinding>(object),
        "ClusterRole" => understood::<ClusterRole>(object),
        "ClusterRoleBinding" => understood::<ClusterRoleBinding>(object),
        "Job" => understood::<Job>(object),
        "Pod" => understood::<Pod>(object),
        "Service" => understood::<Service>(object),
        "NetworkPolicy" => understood::<NetworkPolicy>(object),
        "Deployment" => understood::<Deployment>(object),
        "DaemonSet" => understood::<DaemonSet>(object),
        "StatefulSet" => understood::<StatefulSet>(object),
        other => Err(format!("kind {other:?} is not shipped")),
    }
}

fn understood<T: DeserializeOwned + Serialize>(object: &Value) -> Result<(), String> {
    // Reading also compares apiVersion and kind with those of the type.
    let typed: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    lost(object, &again, "").map_or(Ok(()), |path| Err(format!("{path} is not a field of its kind")))
}

/// The first field of `written` that `read` has not, or has otherwise.
pub(crate) fn lost(written: &Value, read: &Value, path: &str) -> Option<String> {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => written.iter().find_map(|(key, value)| {
            let path = format!("{path}/{key}");
            match read.get(key) {
                Some(read) => lost(value, read, &path),
                None => Some(path),
            }
        }),
        (Value::Array(written), Value::Array(read)) if written.len() == read.len() => {
            let pairs = written.iter().zip(read).enumerate();
            pairs.into_iter().find_map(|(i, (written, read))| lost(written, read, &format!("{path}/{i}")))
        }
        (written, read) => (written != read).then(|| path.to_owned()),
    }
}

#[test]
fn a_field_that_no_kind_has_is_found_wherever_it_is() {
    let pod = |place: &str| {
        let mut pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "c", "securityContext": {"capabilities": {"drop": ["ALL"]}}}]}});
        if let Some(Value::Object(object)) = pod.pointer_mut(place) {
            object.insert("unknown".to_owned(), Value::from(1));
        }
        check(&pod)
    };
    for place in ["", "/metadata", "/spec", "/spec/containers/0/securityContext/capabilities"] {
        assert_eq!(pod(place), Err(format!("{place}/unknown is not a field of its kind")));
    }
    assert_eq!(pod("/nowhere"), Ok(()));
    let of_another = serde_json::json!({"apiVersion": "apps/v1", "kind": "Pod"});
    assert!(check(&of_another).is_err_and(|error| error.contains("v1")));
}
