//! How this node finds processes, chosen once at start.

use std::fs;

use gthulhu_http::exit::{self, Exit};
use gthulhu_lib::{
    engine::{Engine, EngineOptions},
    process::{
        ProcessSource, SourceError,
        connector::ProcConnector,
        governed::{CgroupProcs, Unavailable},
        walk::{ProcWalk, WalkOptions},
    },
};

use crate::config::{self, ProcessesBy};
use crate::told::{Fed, Told};

/// The largest number of processes that a kernel can be told to allow.
const PID_MAX_LIMIT: u32 = 1 << 22;

fn options(node: &config::Node) -> WalkOptions {
    let cgroup_root = Some(node.cgroup_root.clone()).filter(|root| !root.is_empty());
    WalkOptions { proc_root: node.proc_root.clone(), cgroup_root }
}

/// The walk that the configuration asks for. Fails only for a bad cgroup root.
pub(crate) fn walk(node: &config::Node) -> Result<ProcWalk, SourceError> {
    ProcWalk::new(options(node))
}

/// An engine that looks where the configuration says, in the best way that works here or in the one that is asked for. If
/// none is asked for, what a monitor tells is better, while one is there.
pub(crate) fn engine(node: &config::Node, told: Option<&Told>) -> Result<Engine, Exit> {
    let mut source = choose(node)?;
    tracing::info!(source = source.name(), proc_root = %node.proc_root.display(), "how processes are found");
    if let Some(told) = told.filter(|_| node.source == ProcessesBy::Auto) {
        let fed = Fed::new(told.clone(), source).map_err(|error| Exit::from_error(exit::OS_ERROR, &error))?;
        source = Box::new(fed);
    }
    let pid_max = fs::read_to_string("/proc/sys/kernel/pid_max").ok();
    let pid_max = pid_max.and_then(|text| text.trim().parse().ok()).unwrap_or(PID_MAX_LIMIT);
    let engine = Engine::new(source, EngineOptions { pid_max });
    if let Some(error) = engine.table().why_private() {
        tracing::warn!(%error, "the table of strategies has no file, so no reader can be given it");
    }
    Ok(engine)
}

type Find = fn(WalkOptions) -> Result<Box<dyn ProcessSource>, Unavailable>;

fn choose(node: &config::Node) -> Result<Box<dyn ProcessSource>, Exit> {
    let all: [(ProcessesBy, Find); 3] = [
        (ProcessesBy::ProcConnector, |options| Ok(Box::new(ProcConnector::new(options)?))),
        (ProcessesBy::CgroupProcs, |options| Ok(Box::new(CgroupProcs::new(options)?))),
        (ProcessesBy::ProcWalk, |options| Ok(Box::new(ProcWalk::new(options)?))),
    ];
    let mut reasons = Vec::new();
    for (source, find) in all {
        if node.source != ProcessesBy::Auto && node.source != source {
            continue;
        }
        match find(options(node)) {
            Ok(found) => {
                for (source, reason) in reasons {
                    tracing::info!(?source, %reason, "a way of finding processes that does not work here");
                }
                return Ok(found);
            }
            Err(Unavailable::CgroupRoot(error)) => {
                return Err(Exit::new(exit::CONFIG, format!("node.cgroup_root: {error}")));
            }
            Err(reason) => reasons.push((source, reason)),
        }
    }
    // The last of all works everywhere; so one was asked for.
    let reason = reasons.first().map_or_else(String::new, |(_, reason)| reason.to_string());
    Err(Exit::new(exit::CONFIG, format!("node.source: it does not work here: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(source: ProcessesBy) -> Result<Box<dyn ProcessSource>, Exit> {
        // No proc file system that anything could be learnt from.
        let dir = tempfile::tempdir().unwrap();
        choose(&config::Node { source, proc_root: dir.path().to_owned(), ..config::Node::default() })
    }

    #[test]
    fn what_is_asked_for_is_taken_or_refused_and_else_the_best_that_works() {
        for source in [ProcessesBy::Auto, ProcessesBy::ProcWalk] {
            assert_eq!(planted(source).unwrap().name(), "proc-walk");
        }
        for source in [ProcessesBy::ProcConnector, ProcessesBy::CgroupProcs] {
            let refused = planted(source).err().unwrap();
            assert_eq!(refused.code, exit::CONFIG);
            assert!(refused.to_string().starts_with("node.source: "), "{refused}");
        }
        let node = config::Node { cgroup_root: "kubepods".to_owned(), ..config::Node::default() };
        assert!(choose(&node).err().unwrap().to_string().starts_with("node.cgroup_root: "));
    }
}
