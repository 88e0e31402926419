//! One manager and many nodes: how fast they agree after a change, a restart, a cut connection, and beside a node that hangs.
//!
//! ```text
//!   this process                                   another process
//!   scenes -- HTTP: log in, create, delete ------>  gthulhu-manager, as it is shipped
//!   fleet: N decision makers, each with            |
//!     socket, thread, state file, certificate <----'  mutual TLS on loopback, one connection a node
//! ```
//!
//! A node agrees when its decision maker has the set on disk, which this process sees in the moment it happens.

mod event;
mod fleet;
mod scenes;
mod site;
mod spread;
mod trips;

use std::io::Write;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use crate::Outcome;
use crate::harness::{Goal, Report};

use scenes::Scenes;
use spread::Spread;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Nodes.
    pub nodes: u32,
    /// Pods of all nodes together.
    pub pods: u32,
}

/// Times that a change is made.
const CHANGES: usize = 11;
/// What a node that hangs may make of the others' 99th percentile, as a factor.
const HUNG_MAX: f64 = 1.1;
/// Peak memory of the manager, in MiB: 400 MB.
const MEMORY_MAX: f64 = 381.0;
/// A full push against as many rounds of bare calls as it takes.
const PUSH_MAX: f64 = 1.5;
/// A pod event against computing everything anew.
const EVENT_MAX: f64 = 0.001;

/// Plays every scene and prints what it saw. False when a goal was missed that a program can be held to.
pub fn run(report: &mut Report<impl Write>, size: Size) -> Outcome<bool> {
    report.note(format_args!("{} nodes, {} pods; {}", size.nodes, size.pods, load()?))?;
    let ours = event::measure(size)?;
    let mut held = Verdicts { report, all_met: true };
    held.ratio("pod-event", ours.ratio(), EVENT_MAX)?;
    held.report.note(format_args!("{ours}"))?;

    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let begun = Instant::now();
        let mut scenes = Scenes::start(size).await?;
        held.report
            .note(format_args!("all nodes hold their first set {:.1?} after the start", begun.elapsed()))?;
        let created = scenes.changes(CHANGES).await?;
        held.times("create, to all nodes", &created.nodes, Some(Duration::from_secs(1)))?;
        // The rest of the processors' time went to the nodes, which have processors of their own elsewhere.
        held.report.note(format_args!("for each, {:.2?} of the manager's CPU", created.manager_cpu))?;
        let bare = trips::round(&scenes).await?;
        held.ratio("push", created.walls.median() / bare.of(size.nodes).as_secs_f64(), PUSH_MAX)?;
        held.report.note(format_args!("a change at all nodes {}; {bare}", created.walls))?;
        let restarts = scenes.restarts().await?;
        held.times("restart, with a change missed", &restarts, Some(Duration::from_secs(2)))?;
        let healed = scenes.heals().await?;
        held.times("healed partition of a tenth", &healed, Some(Duration::from_secs(2)))?;
        let beside = scenes.beside_one_that_hangs(CHANGES).await?;
        let [without, with] = beside.all();
        held.times("the others, no node hangs", &without, None)?;
        held.times("the others, one node hangs", &with, None)?;
        held.ratio("hung-node-p99", beside.factor(), HUNG_MAX)?;
        let memory = scenes.manager_memory_mib()?;
        held.ratio("manager-memory-mib", memory, MEMORY_MAX)?;
        scenes.stop().await?;
        held.report.note(load()?)?;
        Ok(held.all_met)
    })
}

/// Prints, and keeps in mind whether anything was missed.
struct Verdicts<'r, W: Write> {
    report: &'r mut Report<W>,
    all_met: bool,
}

impl<W: Write> Verdicts<'_, W> {
    fn ratio(&mut self, name: &str, value: f64, most: f64) -> Outcome<()> {
        // What cannot be compared is no success.
        self.all_met &= value <= most;
        Ok(self.report.ratio(name, value, Goal::AtMost(most))?)
    }

    /// One row of the table. A time is no verdict: it depends on the machine.
    fn times(&mut self, name: &str, spread: &Spread, goal: Option<Duration>) -> Outcome<()> {
        let goal = goal.map(|goal| {
            let verdict = if spread.at(0.99) <= goal.as_secs_f64() { "met" } else { "missed" };
            format!("; p99 goal {goal:?} {verdict}")
        });
        Ok(self.report.line(&format!("{name:<30} {spread}{}", goal.unwrap_or_default()))?)
    }
}

/// How busy the machine is with other things.
fn load() -> Outcome<String> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    let averages: Vec<_> = text.split(' ').take(3).collect();
    Ok(format!("load average {}", averages.join(" ")))
}
