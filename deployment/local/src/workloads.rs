//! The pods of the demo: a user plane function with workers and threads, a web server beside it that no strategy of the
//! demo is meant for, and pods for loads of other kinds.

use std::collections::BTreeMap;

use crate::pods::{PodSpec, ProcessSpec};

/// The pod that the strategies choose, by its label `app=upf`.
pub fn upf() -> PodSpec {
    pod("upf-0", "core", "upf", ProcessSpec::new("upf", 2), vec![ProcessSpec::new("upf-worker", 1)])
}

/// The pod that they leave alone.
pub fn nginx() -> PodSpec {
    let workers = vec![ProcessSpec::new("nginx", 0), ProcessSpec::new("nginx", 0)];
    pod("web-0", "default", "nginx", ProcessSpec::new("nginx", 0), workers)
}

/// A pod with nothing in it but an idle process, which others may join.
pub fn single(name: &str, app: &str) -> PodSpec {
    pod(name, "default", app, ProcessSpec::new(app, 0), Vec::new())
}

fn pod(name: &str, namespace: &str, app: &str, leader: ProcessSpec, children: Vec<ProcessSpec>) -> PodSpec {
    let labels = [("app", app), ("tier", namespace)].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let labels = BTreeMap::from(labels);
    PodSpec { name: name.to_owned(), namespace: namespace.to_owned(), labels, leader, children }
}
