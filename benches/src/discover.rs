//! Goals `discover-tenth` and `discover-all`: from a set of intents and 10,000 processes to the table, with the source that
//! reads the cgroups of governed pods, against the `procfs` crate reading the same facts of all processes.
//!
//! A tenth of the pods have intents, or all of them. Our side is everything that applying a set does: the set is compiled,
//! the processes are read, held against it, and the outcome is published.

use std::io::Write;

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::process::ProcessSource;
use gthulhu_lib::process::governed::CgroupProcs;
use gthulhu_lib::process::walk::WalkOptions;
use gthulhu_lib::wire::IntentBody;

use crate::Outcome;
use crate::harness::{Goal, Report, cpu_of, in_turns};
use crate::node::{Node, procfs_turn, with_procfs};

/// How many there are on the node.
pub const PROCESSES: usize = 10_000;

/// Measures and reports.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let node = Node::start(PROCESSES)?;
    if !node.has_pods() {
        return Err("no cgroup could be made: this needs root".into());
    }
    for goal in [("discover-tenth", 10, 20.0), ("discover-all", 1, 2.5)] {
        let options = WalkOptions { cgroup_root: node.cgroup_root(), ..WalkOptions::default() };
        measure(report, &node, Box::new(CgroupProcs::new(options)?), goal)?;
    }
    node.end()
}

/// Measures a source: by the goal's name, with an intent for one pod of so many, and how many times the rival it should be.
pub fn measure(
    report: &mut Report<impl Write>,
    node: &Node,
    source: Box<dyn ProcessSource>,
    (name, share, goal): (&str, usize, f64),
) -> Outcome<()> {
    let governed: Vec<&String> = node.pods.iter().step_by(share).collect();
    let intents = intents(governed.iter().copied())?;
    let mut engine = Engine::new(source, EngineOptions::default());
    let cold = cpu_of(|| engine.apply(intents.clone()).map(drop));
    let expected = node.in_pods / node.pods.len() * governed.len();
    // Who started them all is itself in the last pod.
    let tasks = engine.rows().len();
    if tasks != expected && tasks != expected + 1 {
        return Err(format!("{tasks} tasks of {expected} have a strategy").into());
    }
    let all = with_procfs()?;
    let turns = in_turns(
        9,
        || {
            let mut outcome = Ok(());
            let next = intents.clone();
            let spent = cpu_of(|| outcome = engine.apply(next).map(drop));
            outcome.map(|()| spent).map_err(Box::<dyn std::error::Error>::from)
        },
        procfs_turn,
    )?;
    report.ratio(name, turns.b_over_a(), Goal::AtLeast(goal))?;
    let [ours, theirs] = turns.each([1, 1]);
    let pods = (governed.len(), node.pods.len());
    report.note(format_args!(
        "{all} processes, {expected} of them governed ({} of {} pods): {ours:.2?} (cold {cold:.2?}), procfs crate {theirs:.2?}",
        pods.0, pods.1
    ))?;
    Ok(())
}

fn intents<'a>(pods: impl Iterator<Item = &'a String>) -> Outcome<IntentSet> {
    let bodies = pods.map(|pod| IntentBody {
        pod_id: pod.clone(),
        command_regex: ".".to_owned(),
        priority: 3,
        execution_time: 20_000_000,
        ..IntentBody::default()
    });
    IntentSet::check(bodies.collect(), &Limits::default()).map_err(|error| format!("{error:?}").into())
}
