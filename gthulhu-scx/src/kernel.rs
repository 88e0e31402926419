//! The running kernel as the loop sees it: loads, attaches, and says why it ended.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::config;
use crate::machine::{AttachError, AttachErrorKind, Attachment, Departure, Fill, Machine};
use crate::maps::{Event, KernelMaps};
use crate::preflight::{self, Host};
use crate::privileges;
use crate::scheduler::{Attached, EventReader, Exit, ExitKind, Features, LoadError, Options, Scheduler};
use crate::supervise::Ended;

/// See the module.
#[derive(Debug)]
pub struct Kernel {
    options: Options,
    host: Host,
    enforces_limits: bool,
}

impl Kernel {
    /// The kernel of this machine, to be told these settings.
    pub fn new(settings: &config::Scheduler, host: Host) -> Self {
        let options = Options {
            default_slice: settings.slice.get(),
            timeout: settings.timeout.get(),
            ..Options::default()
        };
        // A kernel that does not describe itself is found out by loading.
        let enforces_limits = Features::of_running_kernel().is_ok_and(|features| features.limits);
        Self { options, host, enforces_limits }
    }

    fn load_and_attach(&self, fill: &mut Fill<'_>) -> Result<Running, AttachError> {
        // The kernel would only say that it is busy.
        if let Some(text) = preflight::other_scheduler(&self.host) {
            return Err(AttachError { kind: AttachErrorKind::Busy, text });
        }
        let mut loaded = Scheduler::load(&self.options)?;
        fill(loaded.maps()).map_err(|error| AttachError {
            kind: AttachErrorKind::Failed,
            text: format!("strategies cannot be written: {error}"),
        })?;
        let attached = loaded.attach()?;
        let events = attached.events()?;
        Ok(Running { attached, events })
    }
}

impl Machine for Kernel {
    type Attached = Running;

    fn attach(&mut self, fill: &mut Fill<'_>) -> Result<Running, AttachError> {
        let privileged = |error: std::io::Error| AttachError {
            kind: AttachErrorKind::NoPermission,
            text: format!("capabilities cannot be raised or lowered: {error}"),
        };
        privileges::raise().map_err(privileged)?;
        let running = self.load_and_attach(fill);
        privileges::lower().map_err(privileged)?;
        running
    }

    fn enforces_limits(&self) -> bool {
        self.enforces_limits
    }
}

impl From<LoadError> for AttachError {
    fn from(error: LoadError) -> Self {
        let kind = match &error {
            LoadError::Unsupported(_) => AttachErrorKind::Unsupported,
            LoadError::Rejected { .. } => AttachErrorKind::Rejected,
            LoadError::NoPermission { .. } => AttachErrorKind::NoPermission,
            LoadError::Busy => AttachErrorKind::Busy,
            LoadError::Other { .. } => AttachErrorKind::Failed,
        };
        Self { kind, text: error.to_string() }
    }
}

/// A scheduler that is attached.
#[derive(Debug)]
pub struct Running {
    attached: Attached,
    events: EventReader,
}

impl Attachment for Running {
    fn maps(&mut self) -> &mut dyn KernelMaps {
        self.attached.maps()
    }

    fn events_fd(&self) -> BorrowedFd<'_> {
        self.events.fd()
    }

    fn events(&mut self) -> Vec<Event> {
        self.events.poll(Duration::ZERO).unwrap_or_else(|error| {
            tracing::warn!(%error, "events cannot be read; the next look makes up for them");
            Vec::new()
        })
    }

    fn ended(&mut self) -> Option<Departure> {
        self.attached.exited().as_ref().map(departure)
    }
}

/// What the kernel's account of the end means for us. This process's own detaching is not seen here.
fn departure(exit: &Exit) -> Departure {
    let Exit { kind, reason, message, code } = exit;
    let why = match kind {
        ExitKind::Unregistered | ExitKind::SysRq => Ended::OnPurpose,
        ExitKind::Hotplug => Ended::Hotplug,
        ExitKind::Kernel | ExitKind::Stall | ExitKind::Error => Ended::Failure,
    };
    let named = match kind {
        ExitKind::Unregistered => "somebody removed it",
        ExitKind::Kernel => "the kernel removed it",
        ExitKind::Hotplug => "the CPUs have changed",
        ExitKind::SysRq => "SysRq-S",
        ExitKind::Stall => "a task waited for too long",
        ExitKind::Error => "the kernel found a fault",
    };
    let said: Vec<&str> = [named, reason, message].into_iter().filter(|text| !text.is_empty()).collect();
    let mut text = said.join(": ");
    if *code != 0 {
        text = format!("{text} (code {code:#x})");
    }
    Departure { why, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_with_its_reason_and_judged_by_its_kind() {
        for (kind, code, why, text) in [
            (ExitKind::SysRq, 0, Ended::OnPurpose, "SysRq-S: r: m"),
            (ExitKind::Unregistered, 0, Ended::OnPurpose, "somebody removed it: r: m"),
            (ExitKind::Hotplug, 1 << 32, Ended::Hotplug, "the CPUs have changed: r: m (code 0x100000000)"),
            (ExitKind::Stall, 0, Ended::Failure, "a task waited for too long: r: m"),
            (ExitKind::Error, -5, Ended::Failure, "the kernel found a fault: r: m (code 0xfffffffffffffffb)"),
        ] {
            let exit = Exit { kind, reason: "r".to_owned(), message: "m".to_owned(), code };
            assert_eq!(departure(&exit), Departure { why, text: text.to_owned() });
        }
        let exit = Exit { kind: ExitKind::SysRq, reason: String::new(), message: String::new(), code: 0 };
        assert_eq!(departure(&exit).text, "SysRq-S");
    }
}
