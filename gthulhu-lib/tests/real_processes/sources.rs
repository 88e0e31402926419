//! Every source of processes that this machine has.

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::process::ProcessSource;
use gthulhu_lib::process::connector::ProcConnector;
use gthulhu_lib::process::governed::{CgroupProcs, Unavailable};
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};

use crate::pods::{Pods, skipped};

/// The name of the source that is told of everything.
pub(crate) const TOLD: &str = "proc-connector";

/// Whether that source looks at programs that others start, which might be in a pod.
pub(crate) const LOOKS: bool = true;

/// That source, for pods below this root, or why it does not work here.
pub(crate) fn told(cgroup_root: String) -> Result<Box<dyn ProcessSource>, Unavailable> {
    let options = WalkOptions { cgroup_root: Some(cgroup_root), ..WalkOptions::default() };
    ProcConnector::new(options).map(|source| Box::new(source) as _)
}

pub(crate) fn options(pods: &Pods) -> WalkOptions {
    WalkOptions { cgroup_root: Some(pods.root().to_owned()), ..WalkOptions::default() }
}

/// An engine on each source, the walk first. What is not available is said to be skipped. The pods' root has to exist.
pub(crate) fn engines(pods: &Pods, test: &str) -> Vec<Engine> {
    let boxed = |source: Box<dyn ProcessSource>| Engine::new(source, EngineOptions::default());
    let walk = ProcWalk::new(options(pods)).expect("a good root");
    let mut engines = vec![boxed(Box::new(walk))];
    let mut add = |name: &str, source: Result<Box<dyn ProcessSource>, Unavailable>| match source {
        Ok(source) => engines.push(boxed(source)),
        Err(why) => skipped(&format!("{test} with {name}"), &why.to_string()),
    };
    add("cgroup-procs", CgroupProcs::new(options(pods)).map(|source| Box::new(source) as _));
    add(TOLD, told(pods.root().to_owned()));
    engines
}
