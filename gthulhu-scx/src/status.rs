//! How a running scheduler stands: what `status` prints.

use std::fmt::{self, Write as _};

use gthulhu_lib::wire::feed::SchedulerState;
use serde::{Deserialize, Serialize};

/// Whether it schedules, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is being loaded.
    #[default]
    Starting,
    /// It schedules.
    Attached,
    /// It does not, and tries again soon.
    Waiting,
    /// Somebody removed it on purpose, which is respected for ten minutes.
    Removed,
    /// There are CPU limits that it could not enforce, and the settings demand that they hold.
    Held,
    /// It failed too often and has given up; the kernel's own scheduler works.
    Degraded,
}

impl State {
    /// As a decision maker is told.
    pub fn for_feed(self) -> SchedulerState {
        match self {
            State::Starting => SchedulerState::Starting,
            State::Attached => SchedulerState::Attached,
            State::Removed | State::Held => SchedulerState::Absent,
            State::Waiting | State::Degraded => SchedulerState::Failed,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Starting => "starting",
            State::Attached => "attached",
            State::Waiting => "waiting",
            State::Removed => "removed",
            State::Held => "held",
            State::Degraded => "degraded",
        })
    }
}

/// Everything that `status` tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Whether it schedules.
    pub state: State,
    /// More about that, in a few words; may be empty.
    pub detail: String,
    /// Seconds since the state began.
    pub since_seconds: u64,
    /// Seconds until the next attempt to attach, if there is to be one.
    pub next_attempt_seconds: Option<u64>,
    /// Why it was last detached, if it ever was.
    pub last_exit: Option<String>,
    /// Times that it was attached.
    pub attachments: u64,
    /// Failures within ten minutes; the third is the last.
    pub failures: u32,
    /// The version of this program.
    pub version: String,
    /// The kernel's release.
    pub kernel: String,
    /// Number of the process.
    pub pid: u32,
    /// The generation of strategies that the kernel side has.
    pub generation: u64,
    /// Cgroups that have a rule.
    pub rules: usize,
    /// Processes that have a rule of their own.
    pub pids: usize,
    /// Rules that found no room.
    pub refused: usize,
    /// Processes that were named and are not there, or not any more.
    pub pids_gone: usize,
    /// Pods that have intents.
    pub pods: usize,
    /// Of these, those governed process by process, having no cgroup of version 2.
    pub pods_by_process: usize,
    /// Cgroups that were named and are not there.
    pub missing_cgroups: Vec<String>,
    /// Verdicts given on command names.
    pub verdicts: u64,
    /// How processes are found.
    pub process_source: String,
    /// Where intents come from.
    pub intents: Intents,
    /// The tree of cgroups.
    pub cgroups: Cgroups,
    /// CPU limits.
    pub limits: Limits,
}

/// Where intents come from, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Intents {
    /// `file` or `feed`.
    pub source: String,
    /// The file or the socket.
    pub path: String,
    /// How many are held.
    pub entries: usize,
    /// Why the latest ones were not taken; those before them hold.
    pub error: Option<String>,
    /// Whether the decision maker is there.
    pub connected: Option<bool>,
    /// Its epoch.
    pub epoch: Option<u64>,
    /// Its generation.
    pub generation: Option<u64>,
}

/// The tree of cgroups that is worked with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cgroups {
    /// Where it is mounted.
    pub mount: String,
    /// Whether hierarchies of version 1 are mounted as well.
    pub hybrid: bool,
}

/// CPU limits (`cpu.max`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Whether this scheduler enforces them on this kernel.
    pub enforced: bool,
    /// Cgroups that have one, as of the last look.
    pub cgroups: usize,
}

impl Limits {
    /// Whether there are limits that do not hold.
    pub fn broken(&self) -> bool {
        !self.enforced && self.cgroups > 0
    }
}

impl Status {
    /// The status for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            if !value.is_empty() {
                // Writing to a text cannot fail.
                let _ = writeln!(text, "{name:<12}{value}");
            }
        };
        row("state", self.state_line());
        row("last exit", self.last_exit.clone().unwrap_or_default());
        row("program", format!("gthulhu-scx {}, process {}, kernel {}", self.version, self.pid, self.kernel));
        row("intents", self.intents_line());
        row("", self.intents.error.as_ref().map(|error| format!("not taken: {error}")).unwrap_or_default());
        row(
            "rules",
            format!("{} cgroups, {} processes, generation {}", self.rules, self.pids, self.generation),
        );
        row("refused", counted(self.refused, "rules found no room"));
        row("pods", self.pods_line());
        row("gone", counted(self.pids_gone, "named processes are not there"));
        row("missing", self.missing_cgroups.join(", "));
        row("limits", self.limits_line());
        text
    }

    fn state_line(&self) -> String {
        let mut line = format!("{} for {} s", self.state, self.since_seconds);
        if !self.detail.is_empty() {
            line = format!("{line}: {}", self.detail);
        }
        match self.next_attempt_seconds {
            Some(seconds) => format!("{line}; next attempt in {seconds} s"),
            None => line,
        }
    }

    fn intents_line(&self) -> String {
        let Intents { source, path, entries, connected, epoch, generation, .. } = &self.intents;
        let mut line = format!("{entries} from the {source} {path}");
        if let (Some(epoch), Some(generation)) = (epoch, generation) {
            line = format!("{line}, epoch {epoch}, generation {generation}");
        }
        if *connected == Some(false) {
            line.push_str(", which is away; what it said last holds");
        }
        line
    }

    fn pods_line(&self) -> String {
        let mut line = format!("{} with intents", self.pods);
        if self.pods_by_process > 0 {
            let count = self.pods_by_process;
            line = format!("{line}, {count} of them governed process by process (no cgroup of version 2)");
        }
        line
    }

    fn limits_line(&self) -> String {
        match &self.limits {
            Limits { enforced: true, .. } => String::new(),
            Limits { cgroups: 0, .. } => {
                "CPU limits cannot be enforced on this kernel; there are none".to_owned()
            }
            Limits { cgroups, .. } => {
                format!("CPU limits of {cgroups} cgroups are NOT enforced on this kernel")
            }
        }
    }
}

fn counted(count: usize, words: &str) -> String {
    if count == 0 { String::new() } else { format!("{count} {words}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_what_matters_and_nothing_that_does_not() {
        let mut status = Status { state: State::Attached, since_seconds: 5, rules: 3, ..Status::default() };
        status.limits.enforced = true;
        let text = status.text();
        assert!(text.starts_with("state       attached for 5 s\n"), "{text}");
        for absent in ["limits", "refused", "missing", "gone", "last exit", "not taken"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
        status.state = State::Waiting;
        status.detail = "stalled".to_owned();
        status.next_attempt_seconds = Some(8);
        status.limits = Limits { enforced: false, cgroups: 2 };
        status.intents.error = Some("f:3: intents[0].priority must be 0 to 20".to_owned());
        status.missing_cgroups = vec!["/a".to_owned(), "/b".to_owned()];
        let text = status.text();
        for present in [
            "waiting for 5 s: stalled; next attempt in 8 s",
            "CPU limits of 2 cgroups are NOT enforced",
            "not taken: f:3: intents[0].priority",
            "missing     /a, /b",
        ] {
            assert!(text.contains(present), "{present} not in {text}");
        }
    }

    #[test]
    fn names_are_the_documented_ones() {
        let json = serde_json::to_value(Status::default()).unwrap();
        for key in [
            "state",
            "kernel",
            "generation",
            "rules",
            "pids",
            "lastExit",
            "missingCgroups",
            "intents",
            "limits",
        ] {
            assert!(json.get(key).is_some(), "{key} not in {json}");
        }
        assert_eq!(json["state"], "starting");
        assert_eq!(serde_json::from_value::<Status>(json).unwrap(), Status::default());
    }
}
