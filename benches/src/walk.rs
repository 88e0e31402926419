//! Goal `walk`: finding every process of every pod by a walk over `/proc`, against the `procfs` crate reading the same
//! facts: cgroup, name, parent and start time of each process.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::process::ProcessSource;

use crate::Outcome;
use crate::compiled::{Running, compile};
use crate::fixtures::{Numbers, command_names, uid};
use crate::harness::{Goal, Report, cpu_of, in_turns};

const PROCESSES: usize = 5_000;
/// Processes of each container; every tenth group of processes is in none.
const GROUP: usize = 10;

/// Measures and reports.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let node = Node::start()?;
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
        || {
            let mut outcome = Ok(0);
            let spent = cpu_of(|| outcome = with_procfs());
            outcome.map(|_| spent)
        },
    )?;
    report.ratio("walk", turns.b_over_a(), Goal::AtLeast(1.6))?;
    let [ours, theirs] = turns.each([all, all]);
    let lines = fs::read_to_string("/proc/self/cgroup")?.lines().count();
    report.note(format_args!(
        "{all} processes, {} of them in pods, {lines} cgroup hierarchies: {ours:.2?} each, procfs crate {theirs:.2?} each",
        node.in_pods
    ))?;
    if node.tree.is_none() {
        report
            .note("not root: no cgroup could be made, so no process is in a pod and less is read of each")?;
    }
    node.end()
}

fn with_procfs() -> Outcome<usize> {
    let mut count = 0;
    for process in procfs::process::all_processes()? {
        // Processes may end while they are read.
        let Ok(process) = process else { continue };
        if let (Ok(cgroups), Ok(stat)) = (process.cgroups(), process.stat()) {
            std::hint::black_box((cgroups, stat));
            count += 1;
        }
    }
    Ok(count)
}

/// The processes, and the cgroups made for them.
struct Node {
    nursery: Running,
    tree: Option<(PathBuf, PathBuf)>,
    in_pods: usize,
    _programs: tempfile::TempDir,
}

impl Node {
    fn start() -> Outcome<Self> {
        let programs = tempfile::tempdir()?;
        let program = compile("nursery", programs.path())?;
        let tree = mount().map(|mount| (mount.join(format!("gthulhu-bench-{}", std::process::id())), mount));
        let tree = tree.filter(|(top, _)| fs::create_dir(top).is_ok());
        let names = command_names(400);
        let mut numbers = Numbers::new(5);
        let (mut orders, mut in_pods) = (String::new(), 0);
        for group in 0..PROCESSES / GROUP {
            let name = &names[group % names.len()];
            // Those in no pod come first, while the nursery is still in its own cgroup.
            let procs = match &tree {
                Some((top, _)) if group >= PROCESSES / GROUP / 10 => {
                    in_pods += GROUP;
                    container(top, &mut numbers)?.display().to_string()
                }
                _ => "-".to_owned(),
            };
            writeln!(orders, "{procs} {GROUP} {name}")?;
        }
        let mut nursery = Running::launch(&mut Command::new(program), format!("{orders}.\n").as_bytes())?;
        nursery.line()?;
        Ok(Node { nursery, tree, in_pods, _programs: programs })
    }

    fn cgroup_root(&self) -> Option<String> {
        let (top, mount) = self.tree.as_ref()?;
        Some(format!("/{}/kubepods.slice", top.strip_prefix(mount).ok()?.display()))
    }

    fn end(self) -> Outcome<()> {
        self.nursery.finish()?;
        if let Some((top, _)) = &self.tree {
            remove(top)?;
        }
        Ok(())
    }
}

/// Makes the cgroup of a container in a pod of its own, as the systemd driver names it; gives its `cgroup.procs`.
fn container(top: &Path, numbers: &mut Numbers) -> Outcome<PathBuf> {
    let pod = uid(numbers).replace('-', "_");
    let [a, b, c, d] = [(); 4].map(|()| numbers.draw());
    let id = format!("{a:016x}{b:016x}{c:016x}{d:016x}");
    let dir = top
        .join("kubepods.slice/kubepods-burstable.slice")
        .join(format!("kubepods-burstable-pod{pod}.slice"))
        .join(format!("cri-containerd-{id}.scope"));
    fs::create_dir_all(&dir)?;
    Ok(dir.join("cgroup.procs"))
}

/// Removes a tree of cgroups that no process is in: directories only, from the leaves.
fn remove(dir: &Path) -> Outcome<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    Ok(fs::remove_dir(dir)?)
}

/// Where cgroup version 2 is mounted.
fn mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    line.split(' ').nth(4).map(PathBuf::from)
}
