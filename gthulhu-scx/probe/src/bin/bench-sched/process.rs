//! A program that the bench starts, signals and ends.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use gthulhu_probe::clock;
use rustix::process::{Pid, Signal, kill_process};

use crate::machine::read;

const STEP: u64 = 20_000_000;
/// Guest time for anything that is waited for.
const PATIENCE: u64 = 60_000_000_000;

/// A running program, killed with the value.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it. It writes to the file `log`, which an error will quote.
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> io::Result<Process> {
        let file = File::create(&log)?;
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Process { child, log })
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Asks again until it is so, as long as the program runs; an error says what was waited for.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        mut is_so: impl FnMut() -> io::Result<bool>,
    ) -> io::Result<()> {
        let end = clock::now() + PATIENCE;
        while !is_so()? {
            if !self.runs()? || clock::now() > end {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                return Err(io::Error::other(format!("waited in vain until {what}:\n{said}")));
            }
            clock::sleep(STEP);
        }
        Ok(())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("no such process"))?;
        kill_process(pid, signal).map_err(io::Error::from)
    }

    /// Whether a signal has stopped it.
    pub(crate) fn is_stopped(&self) -> io::Result<bool> {
        let stat = read(&format!("/proc/{}/stat", self.child.id()))?;
        // The state follows the name, which is in parentheses and may have some of its own.
        Ok(stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
    }

    /// Sends a signal that ends it, and waits until it has ended.
    pub(crate) fn end(mut self, signal: Signal) -> io::Result<()> {
        self.signal(signal)?;
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
