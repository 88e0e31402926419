//! Goal `walk`: finding every process of every pod by a walk over `/proc`, against the `procfs` crate reading the same
//! facts: cgroup, name, parent and start time of each process.

use std::fs;
use std::io::Write;

use gthulhu_lib::process::ProcessSource;
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};

use crate::Outcome;
use crate::harness::{Goal, Report, cpu_of, in_turns};
use crate::node::{Node, procfs_turn, with_procfs};

const PROCESSES: usize = 5_000;

/// Measures and reports.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let node = Node::start(PROCESSES)?;
    let options = WalkOptions { cgroup_root: node.cgroup_root(), ..WalkOptions::default() };
    let mut walk = ProcWalk::new(options)?;
    let found = walk.survey()?.processes.len();
    if found < node.in_pods {
        return Err(format!("{found} processes of {} in pods were found", node.in_pods).into());
    }
    let all = with_procfs()?;
    let turns = in_turns(
        9,
        || {
            let mut outcome = Ok(());
            let spent = cpu_of(|| outcome = walk.survey().map(drop));
            outcome.map(|()| spent).map_err(Box::<dyn std::error::Error>::from)
        },
        procfs_turn,
    )?;
    report.ratio("walk", turns.b_over_a(), Goal::AtLeast(1.6))?;
    let [ours, theirs] = turns.each([all, all]);
    let lines = fs::read_to_string("/proc/self/cgroup")?.lines().count();
    report.note(format_args!(
        "{all} processes, {} of them in pods, {lines} cgroup hierarchies: {ours:.2?} each, procfs crate {theirs:.2?} each",
        node.in_pods
    ))?;
    if !node.has_pods() {
        report
            .note("not root: no cgroup could be made, so no process is in a pod and less is read of each")?;
    }
    node.end()
}
