//! gthulhu-scx, fed by the decision maker, and what the kernel says of it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::background::{Background, arguments, run_to_end};
use crate::error::LocalError;
use crate::stack::Stack;
use crate::wait;

const PROGRAM: &str = "gthulhu-scx";
/// Where the kernel tells about schedulers like ours.
const KERNEL: &str = "/sys/kernel/sched_ext";

/// The running scheduler. Dropping it ends it, and gives the machine back to the kernel's own.
#[derive(Debug)]
pub(super) struct Scheduler {
    program: Background,
    config: PathBuf,
}

impl Scheduler {
    /// Starts it. `Unsupported` where the kernel takes no scheduler, or has one that is not ours to replace.
    pub(super) fn start(stack: &Stack) -> Result<Self, LocalError> {
        if state()? != "disabled" {
            let who = attached_name()?;
            return Err(LocalError::Unsupported(format!("another scheduler is attached: {who}")));
        }
        let config = stack.state().write("scx.toml", &config(stack))?;
        let program = Background::start(stack.state(), PROGRAM, &arguments("run", "--config", &config), &[])?;
        Ok(Self { program, config })
    }

    /// Waits until the kernel says that it schedules, and returns the name that it has there.
    pub(super) async fn attached(&mut self) -> Result<String, LocalError> {
        let waited = wait::until(async || {
            self.program.check()?;
            let state = state()?;
            Ok(if state == "enabled" { Ok(()) } else { Err(format!("state {state}")) })
        });
        match waited.await {
            Err(LocalError::NotSeen(last)) => Err(self.program.problem(&format!("not attached: {last}"))),
            done => done.and_then(|()| attached_name()),
        }
    }

    /// Waits until the kernel governs a thread of process `pid` by this strategy, and returns when it was first put
    /// into a queue under it, in nanoseconds of the monotonic clock.
    pub(super) async fn governed(&self, pid: u32, priority: u8, slice_ns: u64) -> Result<u64, LocalError> {
        let governs = |task: &Value| task["priority"] == priority && task["sliceNs"] == slice_ns;
        wait::until(async || {
            let tasks = self.explain(pid)?;
            let first =
                tasks.iter().filter(|task| governs(task)).filter_map(|task| task["firstGovernedNs"].as_u64());
            Ok(first.filter(|&first| first > 0).min().ok_or_else(|| format!("no thread governed: {tasks:?}")))
        })
        .await
    }

    /// Waits until a thread of process `pid` runs without a strategy. Those that sleep are looked at when they wake.
    pub(super) async fn ungoverned(&self, pid: u32) -> Result<(), LocalError> {
        wait::until(async || {
            let tasks = self.explain(pid)?;
            let free = tasks.iter().any(|task| task["source"] == "none");
            Ok(if free { Ok(()) } else { Err(format!("threads still governed: {tasks:?}")) })
        })
        .await
    }

    /// What the kernel holds of each thread that it has met.
    fn explain(&self, pid: u32) -> Result<Vec<Value>, LocalError> {
        let dir = format!("/proc/{pid}/task");
        let threads = fs::read_dir(&dir).map_err(LocalError::file(Path::new(&dir)))?;
        let mut tasks = Vec::new();
        for thread in threads.flatten() {
            let [verb, option, file] = arguments("explain", "--config", &self.config);
            let said = run_to_end(PROGRAM, &[verb, option, file, OsStr::new("--json"), &thread.file_name()])?;
            let explained: Value =
                serde_json::from_str(&said).map_err(|error| LocalError::process(PROGRAM, error))?;
            if explained["task"].is_object() {
                tasks.push(explained["task"].clone());
            }
        }
        Ok(tasks)
    }

    /// Ends it; the kernel's own scheduler is back when this returns.
    pub(super) fn stop(mut self) -> Result<(), LocalError> {
        // It was there all the time: nobody has thrown it out meanwhile.
        let before = state()?;
        self.program.stop()?;
        match (before.as_str(), state()?.as_str()) {
            ("enabled", "disabled") => Ok(()),
            (before, after) => {
                Err(self.program.problem(&format!("was {before} at the end, {after} after it")))
            }
        }
    }
}

fn config(stack: &Stack) -> String {
    format!(
        "[feed]\nsocket = {feed}\n\n[control]\nsocket = {control}\n\n[node]\ncgroup_root = {root}\n",
        feed = json!(stack.feed_socket()),
        control = json!(stack.dir().join("scx.sock")),
        root = json!(stack.base().pods_root()),
    )
}

/// `disabled`, `enabling`, `enabled` or `disabling`.
fn state() -> Result<String, LocalError> {
    let path = Path::new(KERNEL).join("state");
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(LocalError::Unsupported("this kernel has no sched_ext".to_owned()))
        }
        other => Ok(other.map_err(LocalError::file(&path))?.trim_end().to_owned()),
    }
}

fn attached_name() -> Result<String, LocalError> {
    let path = Path::new(KERNEL).join("root/ops");
    Ok(fs::read_to_string(&path).map_err(LocalError::file(&path))?.trim_end().to_owned())
}
