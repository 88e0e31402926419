//! The sections of the configuration file, one type each, with the default of every key.

use std::path::PathBuf;
use std::time::Duration;

use gthulhu_http::time::DurationText;
use serde::{Deserialize, Serialize};

/// `[logging]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter such as `info,gthulhu_scx=debug`.
    pub level: String,
}

impl Default for Logging {
    fn default() -> Self {
        Logging { level: "info".to_owned() }
    }
}

/// `[intents]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Intents {
    /// The file that holds this node's intents; empty: they come from the decision maker.
    pub file: PathBuf,
}

/// `[feed]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feed {
    /// The decision maker's socket.
    pub socket: PathBuf,
}

impl Default for Feed {
    fn default() -> Self {
        Feed { socket: PathBuf::from("/run/gthulhu/feed.sock") }
    }
}

/// `[control]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Control {
    /// The socket that `status`, `stats` and `explain` ask.
    pub socket: PathBuf,
}

impl Default for Control {
    fn default() -> Self {
        Control { socket: PathBuf::from("/run/gthulhu/scx.sock") }
    }
}

/// `[table]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Table {
    /// The socket by which other programs get the table of strategies; empty: none does.
    pub socket: PathBuf,
}

/// What to do about CPU limits (`cpu.max`) on a kernel that does not let a scheduler enforce them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum HonourLimits {
    /// Schedule all the same, and warn while there are any.
    #[default]
    Warn,
    /// Leave scheduling to the kernel while there are any.
    Require,
}

/// `[scheduler]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scheduler {
    /// Whether there is one. Without it, `run` gives up all capabilities and waits to be stopped.
    pub enable: bool,
    /// Whether a machine that cannot have one is a failure; else `run` waits there as if it were switched off.
    pub required: bool,
    /// The slice of tasks whose strategy names none, 100 us to 100 ms.
    pub slice: DurationText,
    /// How long a task may wait before the kernel takes the scheduler for broken, 2 s to 30 s.
    pub timeout: DurationText,
    /// What to do about CPU limits that cannot be enforced.
    pub honour_limits: HonourLimits,
}

impl Default for Scheduler {
    fn default() -> Self {
        Scheduler {
            enable: true,
            required: true,
            slice: DurationText::new(Duration::from_millis(4)),
            timeout: DurationText::new(Duration::from_secs(30)),
            honour_limits: HonourLimits::default(),
        }
    }
}

/// `[monitor]`: of `monitor --feed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Monitor {
    /// Whether there is one. Without it, `monitor --feed` gives up all capabilities and waits to be stopped.
    pub enable: bool,
    /// Whether a machine that cannot have one is a failure; else it waits there as if it were switched off.
    pub required: bool,
}

impl Default for Monitor {
    fn default() -> Self {
        Monitor { enable: true, required: true }
    }
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    /// How often processes of pods that have no cgroup of version 2 are looked up, 100 ms to 1 h.
    pub poll: DurationText,
    /// The cgroup below which pods are found; empty: the usual kubepods roots.
    pub cgroup_root: String,
    /// Where the host's cgroup tree of version 2 is mounted; empty: where this process's mounts say.
    pub cgroup_mount: PathBuf,
    /// The proc file system to read: the host's, which a container may have mounted elsewhere.
    pub proc_root: PathBuf,
}

impl Default for Node {
    fn default() -> Self {
        Node {
            poll: DurationText::new(Duration::from_secs(1)),
            cgroup_root: String::new(),
            cgroup_mount: PathBuf::new(),
            proc_root: PathBuf::from("/proc"),
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Whether priorities outside 0 to 20 are taken and act as the nearest end instead of being refused.
    pub accept_any_priority: bool,
}
