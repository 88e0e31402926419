//! The source that a monitor's word is, while there is one, and else another that this process has of its own.

use std::{
    fmt, io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use gthulhu_lib::process::{Changes, Governed, Located, ProcessSource, Snapshot, SourceError};
use rustix::event::epoll;

use super::Told;

/// See the module. Which of both counts is settled by each snapshot; in between the caller is told to take one.
pub struct Fed {
    told: Told,
    local: Box<dyn ProcessSource>,
    /// Whether the latest snapshot is of what was told.
    is_told: bool,
    /// Readable when the bell rings or, while the local one counts, that one has something to tell.
    wake: OwnedFd,
}

impl fmt::Debug for Fed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fed").field("source", &self.name()).finish_non_exhaustive()
    }
}

impl Fed {
    /// Works with `local` until somebody tells. Fails only when the system has no descriptor to give.
    pub fn new(told: Told, local: Box<dyn ProcessSource>) -> io::Result<Fed> {
        let wake = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let fed = Fed { told, local, is_told: false, wake };
        fed.hear(fed.told.bell())?;
        if let Some(local) = fed.local.wake_fd() {
            fed.hear(local)?;
        }
        Ok(fed)
    }

    fn hear(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::add(&self.wake, fd, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?)
    }

    /// Lets the one that counts no more rest.
    fn settle(&mut self, is_told: bool) {
        if self.is_told == is_told {
            return;
        }
        self.is_told = is_told;
        if is_told {
            // Nothing is governed: it has nothing to follow. Should it fail, it does so when it counts again.
            let _ = self.local.snapshot(&Governed::default());
            if let Some(local) = self.local.wake_fd() {
                // It is not there if it was closed.
                let _ = epoll::delete(&self.wake, local);
            }
            tracing::info!(
                source = self.name(),
                reason = "a monitor tells of all",
                "how processes are found"
            );
        } else {
            let heard = self.local.wake_fd().map_or(Ok(()), |local| self.hear(local));
            if let Err(error) = heard {
                tracing::warn!(%error, "the source of processes cannot be waited for; it is asked now and then");
            }
            tracing::warn!(source = self.name(), reason = "the monitor has gone", "how processes are found");
        }
    }

    fn ask(
        &mut self,
        local: impl FnOnce(&mut dyn ProcessSource) -> Result<Changes, SourceError>,
    ) -> Result<Changes, SourceError> {
        match (self.told.changes(), self.is_told) {
            (Some(changes), true) => Ok(changes),
            (None, false) => local(&mut *self.local),
            (Some(_), false) | (None, true) => Ok(Changes::Unknown),
        }
    }
}

impl ProcessSource for Fed {
    fn name(&self) -> &'static str {
        if self.is_told { "monitor" } else { self.local.name() }
    }

    fn snapshot(&mut self, governed: &Governed) -> Result<Snapshot, SourceError> {
        let told = self.told.snapshot(governed);
        self.settle(told.is_some());
        told.map_or_else(|| self.local.snapshot(governed), Ok)
    }

    /// Complete as of what was told by now: less than a millisecond ago, if nobody is kept from running.
    fn changes(&mut self) -> Result<Changes, SourceError> {
        self.ask(|local| local.changes())
    }

    fn events(&mut self) -> Result<Changes, SourceError> {
        self.ask(|local| local.events())
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        self.told.survey().map_or_else(|| self.local.survey(), Ok)
    }

    /// A look of this process's own, whoever tells.
    fn locate(&mut self, tid: u32) -> Result<Located, SourceError> {
        self.local.locate(tid)
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.wake.as_fd())
    }
}
