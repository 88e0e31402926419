//! Why the kernel ended the scheduler.

use serde::{Deserialize, Serialize};

/// The kinds of end that call for different answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExitKind {
    /// User space removed it: this process, or somebody who took its link.
    Unregistered,
    /// The kernel removed it without a fault.
    Kernel,
    /// CPUs changed in a way that asks for a fresh start.
    Hotplug,
    /// Somebody pressed SysRq-S.
    SysRq,
    /// A task waited for too long.
    Stall,
    /// Any other fault.
    Error,
}

/// The end of the scheduler as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// What to make of it.
    pub kind: ExitKind,
    /// The kernel's short reason.
    pub reason: String,
    /// Its longer one; may be empty.
    pub message: String,
    /// Its code; 0 without one.
    pub code: i64,
}

// What the kernel numbers the kinds with; unchanged since the first kernel that has sched_ext.
const UNREGISTERED: u64 = 64;
const UNREGISTERED_BY_KERNEL: u64 = 66;
const SYSRQ: u64 = 67;
const ERROR: u64 = 1024;
const STALL: u64 = 1026;
/// In a code: CPUs came or went.
const CODE_HOTPLUG: i64 = 1 << 32;

impl Exit {
    /// `None` for kind 0: it has not ended.
    pub(super) fn of(kind: u64, code: i64, reason: String, message: String) -> Option<Self> {
        let kind = match kind {
            0 => return None,
            _ if kind < ERROR && code & CODE_HOTPLUG != 0 => ExitKind::Hotplug,
            SYSRQ => ExitKind::SysRq,
            STALL => ExitKind::Stall,
            UNREGISTERED_BY_KERNEL => ExitKind::Kernel,
            UNREGISTERED..UNREGISTERED_BY_KERNEL => ExitKind::Unregistered,
            ERROR.. => ExitKind::Error,
            _ => ExitKind::Kernel,
        };
        Some(Self { kind, reason, message, code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_and_none_is_none() {
        let of = |kind, code| Exit::of(kind, code, String::new(), String::new()).map(|exit| exit.kind);
        assert_eq!(of(0, 0), None);
        assert_eq!(of(64, 0), Some(ExitKind::Unregistered));
        assert_eq!(of(65, 0), Some(ExitKind::Unregistered));
        assert_eq!(of(66, 0), Some(ExitKind::Kernel));
        assert_eq!(of(66, 1 << 48 | 1 << 32), Some(ExitKind::Hotplug));
        assert_eq!(of(67, 0), Some(ExitKind::SysRq));
        assert_eq!(of(68, 0), Some(ExitKind::Kernel));
        assert_eq!(of(1024, 0), Some(ExitKind::Error));
        assert_eq!(of(1024, 1 << 32), Some(ExitKind::Error), "a fault is a fault whatever its code");
        assert_eq!(of(1026, 0), Some(ExitKind::Stall));
        assert_eq!(of(1027, 0), Some(ExitKind::Error));
    }
}
