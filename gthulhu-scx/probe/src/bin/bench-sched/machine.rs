//! The guest, made ready: one CPU, cgroups of equal weight, and everything that will run in memory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the cgroups are.
const CGROUPS: &str = "/sys/fs/cgroup";
/// Where a kubelet has its pods, below that.
const KUBEPODS: &str = "kubepods";
/// The most hogs of one kind.
pub(crate) const HOGS: usize = 4;
/// The uid of the pod that a decision maker knows.
pub(crate) const POD: &str = "5e1f0000-0000-4000-8000-000000000001";
/// In memory.
const HOME: &str = "/run/bench";
/// The pair of keys that a decision maker's tokens are made with, in memory.
const KEYS: [&str; 2] = ["dm-token.key", "dm-token.pub"];

/// What is measured, and with what.
pub(crate) struct Programs<'a> {
    /// `gthulhu-scx`.
    pub(crate) scheduler: &'a Path,
    /// `gthulhu-probe`.
    pub(crate) probe: &'a Path,
    /// `gthulhu-dm`.
    pub(crate) decision_maker: &'a Path,
    /// The folder with its keys, as `gthulhu-manager init` makes it.
    pub(crate) keys: &'a Path,
}

/// A guest that is ready to measure in.
pub(crate) struct Machine {
    release: String,
    home: PathBuf,
    cgroups: PathBuf,
}

impl Machine {
    /// Takes all but one CPU offline, makes the cgroups and copies the programs into memory. Refuses to touch a machine that
    /// is not the harness's.
    pub(crate) fn prepare(programs: &Programs) -> io::Result<Machine> {
        if std::env::var_os("GTHULHU_VM").is_none() {
            return Err(io::Error::other("this is no virtual machine of gthulhu-scx/vm"));
        }
        one_cpu()?;
        write(&Path::new(CGROUPS).join("cgroup.subtree_control"), "+cpu")?;
        let numbered = |kind| (1..=HOGS).map(move |number| format!("{kind}-{number}"));
        let names =
            ["pod".to_owned(), "crowd".to_owned()].into_iter().chain(numbered("pod")).chain(numbered("hog"));
        for name in names.map(|name| format!("bench-{name}")).chain([KUBEPODS.to_owned()]) {
            let dir = Path::new(CGROUPS).join(name);
            fs::create_dir(&dir)?;
            write(&dir.join("cpu.weight"), "100")?;
        }
        fs::create_dir_all(HOME)?;
        let release = read("/proc/sys/kernel/osrelease")?;
        let machine = Machine { release, home: HOME.into(), cgroups: CGROUPS.into() };
        fs::create_dir_all(machine.container())?;
        copy(programs.scheduler, &machine.scheduler())?;
        copy(programs.probe, &machine.probe())?;
        copy(programs.decision_maker, &machine.decision_maker())?;
        for key in KEYS {
            copy(&programs.keys.join(key), &machine.file(key))?;
        }
        machine.warm_up()?;
        Ok(machine)
    }

    /// The kernel's release.
    pub(crate) fn release(&self) -> &str {
        &self.release
    }

    /// The scheduler's program.
    pub(crate) fn scheduler(&self) -> PathBuf {
        self.file("gthulhu-scx")
    }

    /// The probe's program.
    pub(crate) fn probe(&self) -> PathBuf {
        self.file("gthulhu-probe")
    }

    /// The decision maker's program.
    pub(crate) fn decision_maker(&self) -> PathBuf {
        self.file("gthulhu-dm")
    }

    /// The private and the public key of its tokens.
    pub(crate) fn keys(&self) -> [PathBuf; 2] {
        KEYS.map(|key| self.file(key))
    }

    /// The file of intents.
    pub(crate) fn intents(&self) -> PathBuf {
        self.file("intents.json")
    }

    /// A place for a program's output.
    pub(crate) fn log(&self, program: &str) -> PathBuf {
        self.file(&format!("{program}.log"))
    }

    /// A place for anything else.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// The first cgroups of a kind, `pod` or `hog`.
    pub(crate) fn cgroups(&self, kind: &str, count: usize) -> Vec<PathBuf> {
        (1..=count.min(HOGS)).map(|number| self.cgroup(&format!("{kind}-{number}"))).collect()
    }

    /// The cgroup of this name, all of equal weight: `pod` for the probe; `pod-1` to `pod-4` and `hog-1` to `hog-4` for a
    /// hog each; `crowd` for hogs that share one.
    pub(crate) fn cgroup(&self, name: &str) -> PathBuf {
        self.cgroups.join(format!("bench-{name}"))
    }

    /// The cgroup of the only container of [`POD`], where a kubelet would make it; of the same weight as all others, since
    /// there is no other pod.
    pub(crate) fn container(&self) -> PathBuf {
        self.cgroups.join(KUBEPODS).join(format!("pod{POD}")).join("c".repeat(64))
    }

    /// Runs once what will be measured: whatever it reads from the host is in memory from then on.
    fn warm_up(&self) -> io::Result<()> {
        let mut chrt = Command::new("chrt");
        chrt.args(["-f", "50"]).arg(self.probe()).args(["wake", "--count", "5", "--json"]);
        let mut hog = Command::new(self.probe());
        hog.args(["hog", "--seconds", "0.05"]);
        let mut scheduler = Command::new(self.scheduler());
        scheduler.arg("--version");
        let mut decision_maker = Command::new(self.decision_maker());
        decision_maker.arg("--version");
        for mut command in [chrt, hog, scheduler, decision_maker] {
            let output = command.output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(io::Error::other(format!("{command:?}: {}: {said}", output.status)));
            }
        }
        Ok(())
    }
}

/// What the kernel has said that was a warning or worse, since it booted.
pub(crate) fn alarms() -> io::Result<Vec<String>> {
    let output = Command::new("dmesg").args(["--level", "emerg,alert,crit,err,warn"]).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("dmesg: {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// Booted with several, so that tasks may run on several as far as masks go: a task with one allowed CPU counts as pinned.
fn one_cpu() -> io::Result<()> {
    for number in 1.. {
        let file = PathBuf::from(format!("/sys/devices/system/cpu/cpu{number}/online"));
        if !file.exists() {
            break;
        }
        write(&file, "0")?;
    }
    match read("/sys/devices/system/cpu/online")?.as_str() {
        "0" => Ok(()),
        other => Err(io::Error::other(format!("CPUs {other} are online, not only 0"))),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to).map(drop).map_err(|error| named(from, &error))
}

/// Writes a file of the kernel's or the bench's.
pub(crate) fn write(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text).map_err(|error| named(file, &error))
}

/// Reads a line of the kernel's.
pub(crate) fn read(file: &str) -> io::Result<String> {
    let text = fs::read_to_string(file).map_err(|error| named(Path::new(file), &error))?;
    Ok(text.trim().to_owned())
}

fn named(file: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}
