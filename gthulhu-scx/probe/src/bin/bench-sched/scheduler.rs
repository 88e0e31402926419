//! gthulhu-scx as a child of the bench, and what the kernel says of it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use gthulhu_probe::clock;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::machine::{Machine, read, write};
use crate::process::Process;

const STEP: u64 = 20_000_000;
/// Guest time for a change of schedulers.
const PATIENCE: u64 = 60_000_000_000;

/// A scheduler that is attached.
pub(crate) struct Scheduler {
    process: Process,
    enabled: String,
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
        Scheduler::attach(machine, "--intents", &machine.intents())
    }

    /// Starts it with the intents of the decision maker at this socket. Waits until the kernel has it, and it a pod.
    pub(crate) fn fed(machine: &Machine, socket: &Path) -> io::Result<Scheduler> {
        let mut scheduler = Scheduler::attach(machine, "--feed", socket)?;
        scheduler.process.wait_until("the scheduler has a rule for the pod", || {
            // Until it listens the question fails.
            let output = Command::new(machine.scheduler()).args(["status", "--json"]).output()?;
            let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            Ok(status["pods"] == 1 && status["rules"] == 1 && status["intents"]["connected"] == true)
        })?;
        Ok(scheduler)
    }

    fn attach(machine: &Machine, option: &str, source: &Path) -> io::Result<Scheduler> {
        let mut command = Command::new(machine.scheduler());
        command.args(["run", option]).arg(source);
        let mut process = Process::start(&mut command, machine.log("scheduler"))?;
        process.wait_until("the scheduler is attached", || Ok(state()? == "enabled"))?;
        Ok(Scheduler { process, enabled: enabled()? })
    }

    /// Whether it has been attached all the time.
    pub(crate) fn is_still_attached(&mut self) -> io::Result<bool> {
        Ok(self.process.runs()? && state()? == "enabled" && enabled()? == self.enabled)
    }

    /// Its process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it by this signal; the kernel's own scheduler is back when this returns. How long that took, in nanoseconds.
    pub(crate) fn end(self, signal: Signal) -> io::Result<u64> {
        let begun = clock::now();
        self.process.end(signal)?;
        while state()? != "disabled" {
            if clock::now() - begun > PATIENCE {
                return Err(io::Error::other("the kernel's own scheduler does not come back"));
            }
            clock::sleep(STEP);
        }
        Ok(clock::now() - begun)
    }
}

/// `disabled`, `enabling`, `enabled` or `disabling`.
fn state() -> io::Result<String> {
    read("/sys/kernel/sched_ext/state")
}

/// Changes whenever a scheduler is attached.
fn enabled() -> io::Result<String> {
    read("/sys/kernel/sched_ext/enable_seq")
}
