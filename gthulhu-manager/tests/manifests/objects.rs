//! The shipped objects, and what must hold of each and of all together.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use crate::strict;

/// An object as it is written, and where.
pub(crate) struct Object {
    pub(crate) file: String,
    pub(crate) value: Value,
}

impl Object {
    pub(crate) fn word(&self, at: &str) -> &str {
        self.value.pointer(at).and_then(Value::as_str).unwrap_or_default()
    }

    /// Kind and name.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.word("/kind"), self.word("/metadata/name"))
    }

    /// The pods that it is or makes.
    pub(crate) fn pod(&self) -> Option<PodSpec> {
        let at = if self.word("/kind") == "Pod" { "/spec" } else { "/spec/template/spec" };
        let spec = self.value.pointer(at).filter(|spec| spec.get("containers").is_some())?;
        Some(serde_json::from_value(spec.clone()).unwrap())
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("deployment")
}

/// Every object of every manifest, in the order of files and of objects in them.
pub(crate) fn all() -> Vec<Object> {
    let mut found = Vec::new();
    for folder in ["kind/mongo", "kind/manager", "kind/decisonmaker", "kind/pod", "rbac"] {
        let mut files: Vec<PathBuf> =
            fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for path in files {
            let text = fs::read_to_string(&path).unwrap();
            let file = path.strip_prefix(root()).unwrap().display().to_string();
            let values: Vec<Value> =
                serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
            found.extend(values.into_iter().map(|value| Object { file: file.clone(), value }));
        }
    }
    found
}

fn one(kind: &str, name: &str) -> Object {
    let title = format!("{kind} {name}");
    all().into_iter().find(|object| object.title() == title).unwrap_or_else(|| panic!("{title}"))
}

#[test]
fn every_object_is_of_its_kind_and_has_no_unknown_field() {
    let mut kinds = BTreeSet::new();
    for object in all() {
        strict::check(&object.value).unwrap_or_else(|error| panic!("{}: {error}", object.file));
        kinds.insert(object.word("/kind").to_owned());
    }
    // As many kinds as the checker knows: one that it knows and nobody ships is dead code.
    assert_eq!(kinds.len(), strict::KINDS, "{kinds:?}");
}

#[test]
fn known_objects_have_their_known_names() {
    let names: BTreeSet<String> =
        all().iter().map(|object| format!("{}: {}", object.file, object.title())).collect();
    for known in [
        "kind/decisonmaker/daemonset.yaml: DaemonSet decisionmaker",
        "kind/decisonmaker/service.yaml: Service decisionmaker",
        "kind/manager/deployment.yaml: ClusterRole manager",
        "kind/manager/deployment.yaml: Deployment manager",
        "kind/manager/deployment.yaml: ServiceAccount manager",
        "kind/manager/service.yaml: Service manager",
        "kind/mongo/service.yaml: Service mongo",
        "kind/mongo/statefulset.yaml: StatefulSet mongo",
        "kind/pod/busybox.yaml: Pod busybox",
    ] {
        assert!(names.contains(known), "{known}: {names:?}");
    }
}

#[test]
fn every_object_says_where_it_belongs() {
    let cluster_wide = ["Namespace", "ClusterRole", "ClusterRoleBinding"];
    for object in all() {
        let kind = object.word("/kind");
        assert_eq!(
            object.word("/metadata/namespace").is_empty(),
            cluster_wide.contains(&kind),
            "{}: {}: applied by hand, it must not land in whatever namespace is current",
            object.file,
            object.title()
        );
    }
}

#[test]
fn nothing_that_is_secret_is_shipped() {
    for object in all() {
        assert_ne!(object.word("/kind"), "Secret", "{}", object.file);
        for container in object.pod().iter().flat_map(|pod| &pod.containers) {
            for variable in container.env.iter().flatten() {
                let secret =
                    ["PASSWORD", "KEY_PEM", "USERNAME"].iter().any(|end| variable.name.ends_with(end));
                assert!(!secret || variable.value.is_none(), "{}: {}", object.file, variable.name);
            }
        }
    }
}

#[test]
fn the_one_manager_is_replaced_and_not_doubled() {
    let manager = one("Deployment", "manager");
    assert_eq!(manager.word("/spec/strategy/type"), "Recreate");
    assert_eq!(manager.value.pointer("/spec/replicas"), Some(&Value::from(1)));
}

#[test]
fn services_and_policies_select_the_pods_that_they_mean() {
    let labels = |kind, name| {
        let at = if kind == "Pod" { "/metadata/labels" } else { "/spec/template/metadata/labels" };
        one(kind, name).value.pointer(at).cloned().unwrap()
    };
    let rows = [
        ("mongo", labels("StatefulSet", "mongo")),
        ("manager", labels("Deployment", "manager")),
        ("decisionmaker", labels("DaemonSet", "decisionmaker")),
    ];
    for (name, labels) in rows {
        let selectors = [
            one("Service", name).value.pointer("/spec/selector").cloned().unwrap(),
            one("NetworkPolicy", name).value.pointer("/spec/podSelector/matchLabels").cloned().unwrap(),
        ];
        for selector in selectors {
            for (key, value) in selector.as_object().unwrap() {
                assert_eq!(labels.get(key), Some(value), "{name}: {key}");
            }
        }
    }
}

#[test]
fn a_decision_maker_is_called_by_the_manager_only_and_calls_nobody() {
    let policy = one("NetworkPolicy", "decisionmaker").value;
    let ingress = policy.pointer("/spec/ingress").unwrap();
    let from = serde_json::json!([{"from": [{
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gthulhu-api-local"}},
        "podSelector": {"matchLabels": {"app": "manager"}},
    }], "ports": [{"protocol": "TCP", "port": 8080}]}]);
    assert_eq!(*ingress, from);
    assert_eq!(policy.pointer("/spec/egress"), Some(&serde_json::json!([])));
    assert_eq!(policy.pointer("/spec/policyTypes"), Some(&serde_json::json!(["Ingress", "Egress"])));
}

#[test]
fn the_manager_has_the_same_rights_under_every_account() {
    let rules = |name| one("ClusterRole", name).value.pointer("/rules").cloned().unwrap();
    assert_eq!(rules("manager"), rules("gthulhu-manager"));
}

/// The database for a manager on one's own machine: for this machine only, and with a password that somebody chose.
#[test]
fn the_compose_file_asks_for_a_password_and_stays_on_this_machine() {
    let text = fs::read_to_string(root().join("local/docker-compose.infra.yaml")).unwrap();
    let compose: Value = serde_saphyr::from_str(&text).unwrap();
    let mongo = &compose["services"]["mongo"];
    assert_eq!(
        mongo["image"],
        one("StatefulSet", "mongo").value["spec"]["template"]["spec"]["containers"][0]["image"]
    );
    assert_eq!(mongo["ports"], serde_json::json!(["127.0.0.1:27017:27017"]));
    let password = mongo["environment"]["MONGO_INITDB_ROOT_PASSWORD"].as_str().unwrap();
    assert!(password.starts_with("${MONGO_PASSWORD:?"), "{password}");
}
