//! What this machine must have before a scheduler can be loaded, and the name of what it lacks.
//!
//! The kernel would refuse as well, but by a number. Each condition is looked at on its own, so that `check` can list all
//! of them, and the first that fails says how the program ends.

use std::fs;
use std::io;
use std::path::PathBuf;

use gthulhu_http::exit::{self, Exit};
use rustix::thread::CapabilitySet;

use crate::cgroups::Mount;

mod host;

pub use host::Host;

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The kernel has the class of schedulers that are loaded (`CONFIG_SCHED_CLASS_EXT`).
    Class,
    /// The kernel says what its types look like, and these have the class.
    Types,
    /// A cgroup tree of version 2 is mounted.
    Cgroups,
    /// The kernel is not locked against BPF programs that read its memory.
    Lockdown,
    /// This process may load BPF programs.
    Capabilities,
    /// No other scheduler is attached.
    Free,
}

/// Every condition, in the order in which they are told.
pub const CONDITIONS: [Condition; 6] = [
    Condition::Class,
    Condition::Types,
    Condition::Cgroups,
    Condition::Lockdown,
    Condition::Capabilities,
    Condition::Free,
];

impl Condition {
    /// A few words for a list.
    pub fn name(self) -> &'static str {
        match self {
            Condition::Class => "sched_ext in the kernel",
            Condition::Types => "types of the kernel (BTF)",
            Condition::Cgroups => "cgroup tree of version 2",
            Condition::Lockdown => "kernel not locked down",
            Condition::Capabilities => "capabilities",
            Condition::Free => "no other scheduler",
        }
    }

    /// How a program ends that cannot work without it.
    fn code(self) -> u8 {
        match self {
            Condition::Class | Condition::Types | Condition::Cgroups | Condition::Lockdown => exit::CONFIG,
            Condition::Capabilities => exit::NO_PERMISSION,
            Condition::Free => exit::TEMPORARY,
        }
    }

    /// What was found, in good order or not.
    pub fn look(self, host: &Host) -> Result<String, Lacking> {
        let found = match self {
            Condition::Class => class(host),
            Condition::Types => types(host),
            Condition::Cgroups => cgroups(host),
            Condition::Lockdown => lockdown(host),
            Condition::Capabilities => capabilities(host),
            Condition::Free => free(host),
        };
        found.map_err(|what| Lacking { condition: self, what })
    }
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Lacking {
    /// Which one.
    pub condition: Condition,
    /// What is the matter.
    pub what: String,
}

impl From<Lacking> for Exit {
    fn from(lacking: Lacking) -> Exit {
        let kind = match lacking.condition.code() {
            exit::CONFIG => "unsupported: ",
            _ => "",
        };
        Exit::new(lacking.condition.code(), format!("{kind}{lacking}"))
    }
}

/// The first condition that does not hold, if any.
pub fn run(host: &Host) -> Result<(), Lacking> {
    CONDITIONS.into_iter().try_for_each(|condition| condition.look(host).map(drop))
}

/// As [`run`], for whoever only watches processes: that needs no class of schedulers and disturbs none.
pub fn to_watch(host: &Host) -> Result<(), Lacking> {
    btf(host).map_err(|what| Lacking { condition: Condition::Types, what })?;
    let needed = [Condition::Cgroups, Condition::Lockdown, Condition::Capabilities];
    needed.into_iter().try_for_each(|condition| condition.look(host).map(drop))
}

/// The other scheduler that is attached, if one is.
pub fn other_scheduler(host: &Host) -> Option<String> {
    free(host).err()
}

fn class(host: &Host) -> Result<String, String> {
    let path = host.sched_ext().join("state");
    match fs::read_to_string(&path) {
        Ok(state) => Ok(format!("state {}", state.trim())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!(
            "this kernel has no sched_ext class (CONFIG_SCHED_CLASS_EXT): {} is missing",
            path.display()
        )),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// The kernel's types, and where they are.
fn btf(host: &Host) -> Result<(PathBuf, Vec<u8>), String> {
    let path = host.path("sys/kernel/btf/vmlinux");
    match fs::read(&path) {
        Ok(types) => Ok((path, types)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF): {} is missing", path.display()))
        }
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

fn types(host: &Host) -> Result<String, String> {
    let (path, types) = btf(host)?;
    // Names of types stand in one table, each ended by a zero. As a text it is searched at once; byte by byte, the six
    // megabytes take an unoptimised build on a slow machine seconds.
    if String::from_utf8_lossy(&types).contains("\0sched_ext_ops\0") {
        Ok(path.display().to_string())
    } else {
        Err(format!("the kernel's BTF has no type sched_ext_ops: {}", path.display()))
    }
}

fn cgroups(host: &Host) -> Result<String, String> {
    match Mount::find(&host.cgroup_mount) {
        Ok(Mount { path, hybrid: false }) => Ok(path.display().to_string()),
        Ok(Mount { path, hybrid: true }) => Ok(format!(
            "{}, beside hierarchies of version 1: pods that are only there are governed process by process",
            path.display()
        )),
        Err(error) => Err(error.to_string()),
    }
}

fn lockdown(host: &Host) -> Result<String, String> {
    let modes = fs::read_to_string(host.path("sys/kernel/security/lockdown")).unwrap_or_default();
    // All modes are listed, the one in force in brackets. Without the file there is none.
    match modes.split('[').nth(1).and_then(|rest| rest.split(']').next()) {
        Some("confidentiality") => {
            Err("the kernel is locked down (confidentiality): BPF programs may not read its memory"
                .to_owned())
        }
        Some(mode) => Ok(mode.to_owned()),
        None => Ok("none".to_owned()),
    }
}

fn capabilities(host: &Host) -> Result<String, String> {
    let missing: Vec<&str> = NEEDED
        .into_iter()
        .filter(|(_, wanted)| !host.capabilities.contains(*wanted))
        .map(|(name, _)| name)
        .collect();
    if missing.is_empty() {
        Ok(NEEDED.map(|(name, _)| name).join(", "))
    } else {
        Err(format!("missing capability {}", missing.join(", ")))
    }
}

/// What loading needs.
pub const NEEDED: [(&str, CapabilitySet); 2] =
    [("CAP_BPF", CapabilitySet::BPF), ("CAP_PERFMON", CapabilitySet::PERFMON)];

fn free(host: &Host) -> Result<String, String> {
    let read =
        |path: PathBuf| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let state = read(host.sched_ext().join("state"));
    if state.is_empty() || state == "disabled" {
        return Ok("none is attached".to_owned());
    }
    let name = match read(host.sched_ext().join("root/ops")) {
        name if name.is_empty() => "of unknown name".to_owned(),
        name => name,
    };
    Err(format!("another scheduler is attached: {name} (state {state})"))
}

/// The release of the running kernel.
pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
