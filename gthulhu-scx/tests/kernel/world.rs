//! What a case has to work with: cgroups, processes in them that do as they are told, and the scheduler.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use gthulhu_probe::clock;

pub(crate) mod broken;
mod cgroups;
mod machine;
mod puppet;
mod reader;
mod scheduler;
mod task;

pub(crate) use cgroups::{cgroup, clear_cgroups, container};
pub(crate) use machine::{Cpu, Other, attached, dmesg, kernel_has, start_time};
pub(crate) use puppet::{Helper, PROBE, Puppet};
pub(crate) use reader::table_at;
pub(crate) use scheduler::{Scheduler, Setting};
pub(crate) use task::Seen;

/// How long anything may take that is waited for, in nanoseconds of the guest. An emulated machine beside other work is
/// slow.
const PATIENCE: u64 = 240_000_000_000;
/// The same for reading a file of many megabytes.
pub(crate) const GREAT_PATIENCE: u64 = 6 * PATIENCE;

/// A case's own state.
pub(crate) struct World {
    /// Below it this program under the names that cases ask for.
    programs: PathBuf,
    /// Whether cases take their time.
    pub(crate) long: bool,
}

impl World {
    pub(crate) fn new(long: bool) -> World {
        let programs = PathBuf::from("/run/names");
        fs::create_dir_all(&programs).expect("the guest's /run is writable");
        fs::create_dir_all("/run/gthulhu").expect("the guest's /run is writable");
        World { programs, long }
    }

    /// This program under another name: what it is started by is the name of its process.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let link = self.programs.join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(program(), &link).expect("a link can be made in /run");
        }
        link
    }

    /// A process of this name in the cgroup, waiting for orders.
    pub(crate) fn puppet(&self, name: &str, cgroup: &Path) -> Puppet {
        Puppet::start(&self.program(name), cgroup)
    }

    /// A load in the cgroup: a verb of the probe with its arguments.
    pub(crate) fn helper(&self, cgroup: &Path, arguments: &[&str]) -> Helper {
        Helper::start(&self.program("helper"), cgroup, arguments)
    }
}

/// What may explain a failure.
pub(crate) fn last_words() -> String {
    let log = fs::read_to_string(scheduler::LOG).unwrap_or_default();
    let before = log.lines().count().saturating_sub(40);
    let said = |whose: &'static str| move |said: String, line: &str| said + whose + line + "\n";
    let scheduler = log.lines().skip(before).fold(String::new(), said("scheduler: "));
    dmesg().lines().fold(scheduler, said("dmesg: "))
}

/// Where the programs are, in memory.
pub(crate) fn stage() -> PathBuf {
    PathBuf::from("/run/programs")
}

/// This program there.
pub(crate) fn program() -> PathBuf {
    stage().join("kernel")
}

/// Copies what was staged into the guest's memory: the share with the host is slow.
pub(crate) fn bring_in_programs() -> io::Result<()> {
    let from = std::env::current_exe()?;
    let folder = from.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(stage())?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        fs::copy(entry.path(), stage().join(entry.file_name()))?;
    }
    Ok(())
}

/// Asks again until it is so; fails with the words if it never is.
pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_within(PATIENCE, what, is_so);
}

/// The same, with so many nanoseconds' patience.
pub(crate) fn until_within(patience: u64, what: &str, mut is_so: impl FnMut() -> bool) {
    assert!(comes_true(patience, &mut is_so), "waited {} s in vain until {what}", patience / 1_000_000_000);
}

/// Asks again for at most so many nanoseconds: often at first, later ever more rarely, since on an emulated machine asking
/// holds up what is waited for.
pub(crate) fn comes_true(nanoseconds: u64, mut is_so: impl FnMut() -> bool) -> bool {
    let begun = clock::now();
    loop {
        // Asked once more after the end: the asking itself may have been what took so long.
        let waited = clock::now() - begun;
        if is_so() {
            return true;
        }
        if waited > nanoseconds {
            return false;
        }
        clock::sleep((waited / 16).clamp(2_000_000, 1_000_000_000));
    }
}

/// The kernel's word for what it does with sched_ext: `enabled`, `disabled` or on the way.
pub(crate) fn state() -> String {
    let text = fs::read_to_string("/sys/kernel/sched_ext/state").unwrap_or_default();
    text.trim().to_owned()
}

/// Waits for a state; tells if it does not come.
pub(crate) fn await_state(wanted: &str) -> Option<String> {
    let came = comes_true(PATIENCE, || state() == wanted);
    (!came).then(|| format!("sched_ext is {} instead of {wanted}", state()))
}

/// Output of a program that must succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{program} {arguments:?}: {}: {said}", output.status)))
}
