//! Whom intents are for: pods, as everywhere, and for a scheduler that stands alone also cgroups and processes.
//!
//! The engine takes any text for the name of a group of processes and finds those of pods. A cgroup that was named by
//! its path therefore becomes a group of its own, whose name is no pod's uid (`#1`), with the same rules for which
//! intent wins. A process that was named by its number has no other process in its group and no name to match; the
//! strongest of its intents is chosen here.

use std::collections::{BTreeMap, BTreeSet};

use gthulhu_lib::id::Id;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::intent::{COMMAND_REGEXES_MAX, Checker, Intent, Invalid, Limits};
use gthulhu_lib::process::ProcessId;
use gthulhu_lib::strategy::Resolved;
use gthulhu_lib::wire::IntentBody;
use gthulhu_lib::wire::feed::MutedTask;

/// The largest number that a kernel gives to a process.
const PID_MAX: u32 = 1 << 22;
/// The longest path of a cgroup, in bytes.
const PATH_MAX: usize = 4096;

/// Whom one entry is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The pod that the intent names.
    Pod,
    /// Every process in this cgroup and below, by its path from the root of the tree.
    Cgroup(String),
    /// This process.
    Process(ProcessId),
}

/// Everything that this node is asked to hold, checked.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The intents for pods and for cgroups, these under the names that `cgroups` knows.
    pub set: IntentSet,
    /// Paths of cgroups by the name of their group.
    pub cgroups: BTreeMap<String, String>,
    /// Strategies of single processes.
    pub processes: BTreeMap<ProcessId, Resolved>,
    /// Processes that no strategy may reach.
    pub muted: BTreeSet<ProcessId>,
    /// How many entries there were.
    pub entries: usize,
}

impl Wanted {
    /// A set as a decision maker sends it: pods only, and tasks that were taken out by hand. Of these only whole
    /// processes can be kept out; a single thread follows its leader.
    pub fn of_node(bodies: Vec<IntentBody>, muted: &[MutedTask], limits: &Limits) -> Result<Self, Invalid> {
        let set = IntentSet::check(bodies, limits)?;
        let muted = muted.iter().map(|task| ProcessId { pid: task.pid, start: task.start_time });
        Ok(Self { entries: set.len(), set, muted: muted.collect(), ..Self::default() })
    }
}

/// Collects entries one by one.
#[derive(Debug)]
pub struct Builder {
    checker: Checker,
    intents: Vec<Intent>,
    names: BTreeMap<String, String>,
    processes: BTreeMap<ProcessId, (Strength, Resolved)>,
    entries: usize,
}

/// The smaller one wins: as among the intents of a pod.
type Strength = (u8, bool, Option<Id>);

impl Builder {
    /// Nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            checker: Checker::new(limits),
            intents: Vec::new(),
            names: BTreeMap::new(),
            processes: BTreeMap::new(),
            entries: 0,
        }
    }

    /// Checks one entry and adds it.
    pub fn add(&mut self, target: Target, mut body: IntentBody) -> Result<(), Invalid> {
        if target != Target::Pod {
            check_no_pod(&body)?;
        }
        match target {
            Target::Pod => self.intents.push(self.checker.check(body)?),
            Target::Cgroup(path) => {
                let path = checked_path(&path)?;
                let next = format!("#{}", self.names.len() + 1);
                body.pod_id = self.names.get(&path).cloned().unwrap_or(next);
                let intent = self.checker.check(body)?;
                self.names.insert(path, intent.pod_uid().to_owned());
                self.intents.push(intent);
            }
            Target::Process(id) => self.add_process(id, body)?,
        }
        self.entries += 1;
        Ok(())
    }

    fn add_process(&mut self, id: ProcessId, mut body: IntentBody) -> Result<(), Invalid> {
        if id.pid == 0 || id.pid > PID_MAX {
            return Err(Invalid::new("pid", format!("must be 1 to {PID_MAX}")));
        }
        if !body.command_regex.is_empty() {
            return Err(Invalid::new("commandRegex", "must be empty where a pid is given"));
        }
        "#process".clone_into(&mut body.pod_id);
        let intent = self.checker.check(body)?;
        let (strategy, resolved) = (intent.strategy(), intent.effective());
        let strength = (resolved.rank(), strategy.is_none(), strategy);
        let held = self.processes.entry(id).or_insert((strength, resolved));
        if strength < held.0 {
            *held = (strength, resolved);
        }
        Ok(())
    }

    /// Everything that was added.
    pub fn finish(self) -> Result<Wanted, Invalid> {
        let (set, beyond) = self.intents.into_iter().collect::<IntentSet>().split_at_regex_bound();
        if !beyond.is_empty() {
            let rule = format!("must be one of at most {COMMAND_REGEXES_MAX} distinct regexes in a set");
            return Err(Invalid::new("commandRegex", rule));
        }
        Ok(Wanted {
            set,
            cgroups: self.names.into_iter().map(|(path, name)| (name, path)).collect(),
            processes: self.processes.into_iter().map(|(id, (_, resolved))| (id, resolved)).collect(),
            muted: BTreeSet::new(),
            entries: self.entries,
        })
    }
}

fn check_no_pod(body: &IntentBody) -> Result<(), Invalid> {
    if body.pod_id.is_empty() {
        Ok(())
    } else {
        Err(Invalid::new("podID", "must be absent where a cgroupPath or a pid is given"))
    }
}

/// The path with single slashes between its names and none at its end.
fn checked_path(path: &str) -> Result<String, Invalid> {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let odd = |name: &&str| *name == "." || *name == ".." || name.chars().any(char::is_control);
    let rule = if !path.starts_with('/') {
        "must begin with /: it is the path from the root of the cgroup tree"
    } else if names.is_empty() {
        "must be a cgroup below the root"
    } else if path.len() > PATH_MAX || names.iter().any(odd) {
        "must be at most 4096 bytes without control characters and without . and .."
    } else {
        return Ok(format!("/{}", names.join("/")));
    };
    Err(Invalid::new("cgroupPath", rule))
}

#[cfg(test)]
mod tests;
