//! gthulhu-scx as a child of the bench, and what the kernel says of it.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use gthulhu_probe::clock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::machine::{Machine, read, write};

const STEP: u64 = 20_000_000;
/// Guest time for a change of schedulers.
const PATIENCE: u64 = 60_000_000_000;

/// A scheduler that is attached.
pub(crate) struct Scheduler {
    child: Child,
    enabled: String,
    log: PathBuf,
}

impl Scheduler {
    /// Starts it with these cgroups at this priority, all others without a strategy. Waits until the kernel has it.
    pub(crate) fn start(machine: &Machine, governed: &[PathBuf], priority: u32) -> io::Result<Scheduler> {
        let entry = |cgroup: &PathBuf| {
            let name = cgroup.file_name().unwrap_or_default().to_string_lossy();
            json!({"podName": name, "cgroupPath": format!("/{name}"), "priority": priority})
        };
        let intents: Vec<_> = governed.iter().map(entry).collect();
        write(&machine.intents(), &json!({"intents": intents}).to_string())?;
        let log = File::create(machine.log())?;
        let child = Command::new(machine.scheduler())
            .args(["run", "--intents"])
            .arg(machine.intents())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut scheduler = Scheduler { child, enabled: String::new(), log: machine.log() };
        scheduler.wait_for("enabled")?;
        scheduler.enabled = read("/sys/kernel/sched_ext/enable_seq")?;
        Ok(scheduler)
    }

    /// Whether it has been attached all the time.
    pub(crate) fn is_still_attached(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_none()
            && read("/sys/kernel/sched_ext/state")? == "enabled"
            && read("/sys/kernel/sched_ext/enable_seq")? == self.enabled)
    }

    /// Stops the process, or lets it go on.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("no such process"))?;
        kill_process(pid, signal).map_err(io::Error::from)
    }

    /// Ends it; the kernel's own scheduler is back when this returns.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        self.signal(Signal::TERM)?;
        self.child.wait()?;
        self.wait_for("disabled")
    }

    fn wait_for(&mut self, state: &str) -> io::Result<()> {
        let end = clock::now() + PATIENCE;
        while read("/sys/kernel/sched_ext/state")? != state {
            let gone = state == "enabled" && self.child.try_wait()?.is_some();
            if gone || clock::now() > end {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                return Err(io::Error::other(format!("the scheduler did not become {state}:\n{said}")));
            }
            clock::sleep(STEP);
        }
        Ok(())
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
