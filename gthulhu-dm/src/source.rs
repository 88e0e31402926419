//! How this node finds processes, chosen once at start.

use std::fs;

use gthulhu_http::exit::{self, Exit};
use gthulhu_lib::{
    engine::{Engine, EngineOptions},
    process::{
        ProcessSource as _, SourceError,
        walk::{ProcWalk, WalkOptions},
    },
};

use crate::config;

/// The largest number of processes that a kernel can be told to allow.
const PID_MAX_LIMIT: u32 = 1 << 22;

/// The walk that the configuration asks for. Fails only for a bad cgroup root.
pub(crate) fn walk(node: &config::Node) -> Result<ProcWalk, SourceError> {
    let cgroup_root = Some(node.cgroup_root.clone()).filter(|root| !root.is_empty());
    ProcWalk::new(WalkOptions { proc_root: node.proc_root.clone(), cgroup_root })
}

/// An engine that looks where the configuration says.
pub(crate) fn engine(node: &config::Node) -> Result<Engine, Exit> {
    let walk = walk(node).map_err(|error| Exit::new(exit::CONFIG, format!("node.cgroup_root: {error}")))?;
    tracing::info!(source = walk.name(), proc_root = %node.proc_root.display(), "how processes are found");
    let pid_max = fs::read_to_string("/proc/sys/kernel/pid_max").ok();
    let pid_max = pid_max.and_then(|text| text.trim().parse().ok()).unwrap_or(PID_MAX_LIMIT);
    Ok(Engine::new(Box::new(walk), EngineOptions { pid_max }))
}
