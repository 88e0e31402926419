//! The machine that measures: what it is, and how it is made quiet.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::LocalError;
use crate::programs;

const CPUS: &str = "/sys/devices/system/cpu";

/// What the machine's clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Time.
    Real,
    /// Instructions: an emulated machine whose clock stands still while the machine does.
    Instructions,
}

/// The machine, ready to measure.
#[derive(Debug)]
pub struct Machine {
    clock: Clock,
    cpus: usize,
    awake: Option<Awake>,
}

impl Machine {
    /// Makes the machine ready. Of one whose clock counts instructions, a single CPU stays online, since all of them
    /// share one CPU's instructions, and it is kept from idling until [`Machine::rest`].
    pub fn prepare(clock: Clock) -> Result<Self, LocalError> {
        let mut awake = None;
        if clock == Clock::Instructions {
            one_cpu()?;
            awake = Some(Awake::keep()?);
        }
        let path = Path::new(CPUS).join("online");
        let online = fs::read_to_string(&path).map_err(LocalError::file(&path))?;
        let cpus =
            count(&online).ok_or_else(|| LocalError::NotSeen(format!("CPUs in {}", path.display())))?;
        Ok(Self { clock, cpus, awake })
    }

    /// How many CPUs are online.
    pub fn cpus(&self) -> usize {
        self.cpus
    }

    /// What its clock counts.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// From now on somebody else keeps it busy.
    pub fn rest(&mut self) {
        self.awake = None;
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let cpus = if self.cpus == 1 { "1 CPU".to_owned() } else { format!("{} CPUs", self.cpus) };
        let clock = match self.clock {
            Clock::Real => "on this machine, in real time",
            Clock::Instructions => "in an emulated machine whose clock counts instructions",
        };
        write!(f, "Linux {release}, {cpus} online, {clock}")
    }
}

/// Something that is always ready to run, and gives way to everything else: a clock that counts instructions leaps
/// ahead whenever the machine idles, as while it waits for a file.
#[derive(Debug)]
struct Awake(Child);

impl Awake {
    fn keep() -> Result<Self, LocalError> {
        let mut command = Command::new("chrt");
        command.args(["--idle", "0"]).arg(programs::find("gthulhu-probe")?).arg("hog");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        child.map(Self).map_err(|error| LocalError::process("chrt", error))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Takes all CPUs but the first offline.
fn one_cpu() -> Result<(), LocalError> {
    let cpus = fs::read_dir(CPUS).map_err(LocalError::file(Path::new(CPUS)))?;
    for cpu in cpus.flatten().map(|entry| entry.path()) {
        let name = cpu.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("cpu").and_then(|number| number.parse::<u32>().ok());
        if number.is_some_and(|number| number > 0) {
            let switch = cpu.join("online");
            fs::write(&switch, "0").map_err(LocalError::file(&switch))?;
        }
    }
    Ok(())
}

/// How many CPUs a list such as `0-2,5` names.
fn count(list: &str) -> Option<usize> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        Some(last.checked_sub(first)? + 1)
    };
    list.trim_end().split(',').map(range).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_cpus_is_counted() {
        assert_eq!(count("0\n"), Some(1));
        assert_eq!(count("0-3\n"), Some(4));
        assert_eq!(count("0,2-3,7"), Some(4));
        for odd in ["", "a", "3-1", "0-"] {
            assert_eq!(count(odd), None, "{odd}");
        }
    }
}
