//! Ports: what listens, what is probed, what Services lead to and what policies let through are the same.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use crate::objects::{Object, all};

/// The ports of a container, by name.
fn ports(container: &Container) -> BTreeMap<String, i32> {
    let ports = container.ports.iter().flatten();
    ports.filter_map(|port| Some((port.name.clone()?, port.container_port))).collect()
}

/// The port that a variable like `DM_SERVER_HOST=:8080` makes a program listen on.
fn listens(container: &Container, end: &str) -> Option<i32> {
    let variable = container.env.iter().flatten().find(|variable| variable.name.ends_with(end))?;
    variable.value.as_ref()?.rsplit(':').next()?.parse().ok()
}

fn probes(container: &Container) -> impl Iterator<Item = &Probe> {
    [&container.liveness_probe, &container.readiness_probe, &container.startup_probe].into_iter().flatten()
}

/// What has pods, with the labels of these.
fn workloads() -> Vec<(Object, Value)> {
    let labels = |object: &Object| object.value.pointer("/spec/template/metadata/labels").cloned();
    all().into_iter().filter_map(|object| labels(&object).map(|labels| (object, labels))).collect()
}

#[test]
fn what_is_probed_is_what_listens() {
    let mut probed = 0;
    for (object, _) in workloads() {
        for container in object.pod().unwrap().containers {
            let (title, named) = (format!("{} {}", object.title(), container.name), ports(&container));
            for (end, name) in [("SERVER_HOST", "http"), ("SERVER_PROBE_HOST", "metrics")] {
                if let Some(port) = listens(&container, end) {
                    assert_eq!(named.get(name), Some(&port), "{title}: {end}");
                }
            }
            for get in probes(&container).filter_map(|probe| probe.http_get.as_ref()) {
                let IntOrString::String(port) = &get.port else { panic!("{title}: a port by number") };
                assert!(named.contains_key(port), "{title}: {port}");
                assert!(["/livez", "/readyz"].contains(&get.path.as_deref().unwrap()), "{title}");
                probed += 1;
            }
        }
    }
    assert!(probed >= 4, "manager and decision maker, alive and ready: {probed}");
}

#[test]
fn services_lead_to_ports_that_there_are() {
    let mut led = 0;
    for service in all().into_iter().filter(|object| object.word("/kind") == "Service") {
        let selector = service.value.pointer("/spec/selector").unwrap().as_object().unwrap().clone();
        let (workload, _) = workloads()
            .into_iter()
            .find(|(_, labels)| selector.iter().all(|(key, value)| labels.get(key) == Some(value)))
            .unwrap_or_else(|| panic!("{} selects nothing", service.title()));
        let named: BTreeMap<String, i32> =
            workload.pod().unwrap().containers.iter().flat_map(ports).collect();
        for port in service.value.pointer("/spec/ports").unwrap().as_array().unwrap() {
            let target = port["targetPort"].as_str().unwrap();
            assert!(named.contains_key(target), "{}: {target}: {named:?}", service.title());
            led += 1;
        }
    }
    assert!(led >= 3, "{led}");
}

#[test]
fn policies_let_through_what_listens_for_others() {
    for policy in all().into_iter().filter(|object| object.word("/kind") == "NetworkPolicy") {
        let selector = policy.value.pointer("/spec/podSelector/matchLabels").cloned().unwrap();
        let (workload, _) = workloads()
            .into_iter()
            .find(|(_, labels)| labels["app"] == selector["app"])
            .unwrap_or_else(|| panic!("{} is for nobody", policy.title()));
        let listening: Vec<i32> =
            workload.pod().unwrap().containers.iter().flat_map(|c| ports(c).into_values()).collect();
        for rule in policy.value.pointer("/spec/ingress").unwrap().as_array().unwrap() {
            for port in rule["ports"].as_array().unwrap() {
                let number = i32::try_from(port["port"].as_i64().unwrap()).unwrap();
                assert!(listening.contains(&number), "{}: {number}: {listening:?}", policy.title());
            }
        }
    }
}
