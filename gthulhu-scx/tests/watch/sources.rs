//! The walk, and the source that is held to it.

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::process::ProcessSource;
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_scx::watch::{BpfEvents, Unavailable, WatchOptions};

use crate::pods::{Pods, skipped};

/// The name of the source that is told of everything.
pub(crate) const TOLD: &str = "bpf-events";

/// Whether that source looks at programs that others start, which might be in a pod.
pub(crate) const LOOKS: bool = false;

/// That source, for pods below this root, or why it does not work here.
pub(crate) fn told(cgroup_root: String) -> Result<Box<dyn ProcessSource>, Unavailable> {
    source(cgroup_root).map(|source| Box::new(source) as _)
}

pub(crate) fn source(cgroup_root: String) -> Result<BpfEvents, Unavailable> {
    BpfEvents::new(&WatchOptions { cgroup_root: Some(cgroup_root), ..WatchOptions::default() })
}

/// An engine on each, the walk first. The pods' root has to exist.
pub(crate) fn engines(pods: &Pods, test: &str) -> Vec<Engine> {
    let options = WalkOptions { cgroup_root: Some(pods.root().to_owned()), ..WalkOptions::default() };
    let walk = ProcWalk::new(options).expect("a good root");
    let mut engines = vec![Engine::new(Box::new(walk), EngineOptions::default())];
    match told(pods.root().to_owned()) {
        Ok(source) => engines.push(Engine::new(source, EngineOptions::default())),
        Err(why) => skipped(test, &why.to_string()),
    }
    engines
}
