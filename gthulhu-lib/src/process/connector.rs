//! The source that the kernel tells of forks, programs, names and ends, over the process connector, with the source of
//! governed cgroups below it for all that is not told.
//!
//! - A process that is forked by one of a governed pod, or starts a program in one, is known as soon as its event is
//!   read, and so are threads, names and ends. Events are in the order in which things happened: the end of a process
//!   comes before the number is anybody else's. A child that the kernel has not put into its cgroup yet is looked at again
//!   a moment later.
//! - What moves into a governed pod or out of it without starting a program is known at the next
//!   [`changes`](super::ProcessSource::changes), for which the lists of the cgroups are read (nothing of `/proc`, unless
//!   they tell of somebody new). The delay is the caller's interval.
//! - Directories of cgroups that come and go wake the caller too.
//! - When events are lost the caller is told to take a snapshot.
//!
//! The kernel tells only in the first PID, user and network namespace, and before Linux 6.6 only who has `CAP_NET_ADMIN`.

mod again;
mod event;
mod known;
mod socket;

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::epoll;
use rustix::io::Errno;

use super::governed::{CgroupProcs, Reader, Unavailable, is_ours};
use super::walk::WalkOptions;
use super::{Change, Changes, Governed, Located, Process, ProcessId, ProcessSource, Snapshot, SourceError};
use again::Again;
use known::{Known, Look};
use socket::Socket;

/// Follows the kernel's events.
#[derive(Debug)]
pub struct ProcConnector {
    cgroups: CgroupProcs,
    /// While no pod is governed nobody listens.
    socket: Option<Socket>,
    known: Known,
    /// Whether the cgroups' lists, as they were read last, say what is known.
    settled: bool,
    again: Again,
    /// Readable when the socket is, when directories came or went, or when it is time to look again.
    wake: OwnedFd,
}

impl ProcConnector {
    /// Tries to listen, and says why if this source cannot work here.
    ///
    /// # Errors
    ///
    /// As of [`CgroupProcs::new`], and if the kernel does not let this process listen, or lets it and says nothing.
    pub fn new(options: WalkOptions) -> Result<Self, Unavailable> {
        let cgroups = CgroupProcs::new(options)?;
        Socket::listen()?;
        let wake = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (known, again) = (Known::default(), Again::new()?);
        let source = Self { cgroups, socket: None, known, settled: false, again, wake };
        source.wake_by(source.again.fd())?;
        if let Some(cgroups) = source.cgroups.wake_fd() {
            source.wake_by(cgroups)?;
        }
        Ok(source)
    }

    fn wake_by(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        epoll::add(&self.wake, fd, epoll::EventData::new_u64(0), epoll::EventFlags::IN)
    }

    /// Listens if it has to. What was told before is passed over.
    fn listen_if(&mut self, wanted: bool) -> Result<(), Unavailable> {
        let Some(socket) = self.socket.as_mut().filter(|_| wanted) else {
            self.socket = wanted.then(Socket::listen).transpose()?;
            return Ok(self.socket.as_ref().map_or(Ok(()), |socket| self.wake_by(socket.fd()))?);
        };
        loop {
            match socket.next() {
                Ok(Some(_)) | Err(Errno::NOBUFS) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes the events that are there. `None`: some were lost.
    fn take_events(&mut self, changes: &mut Vec<Change>) -> Result<Option<()>, SourceError> {
        // Asked in any case: a timer that nobody asks would wake the caller for ever.
        let is_due = self.again.is_due();
        let Some(socket) = &mut self.socket else { return Ok(Some(())) };
        loop {
            match socket.next() {
                Ok(Some(event)) => self.known.take(event, &mut self.cgroups.reader, changes),
                Ok(None) => break,
                Err(Errno::NOBUFS) => return Ok(None),
                Err(error) => return Err(self.cgroups.unreadable(error.into())),
            }
        }
        if is_due {
            self.known.look_again(&mut self.cgroups.reader, changes);
        }
        if self.known.has_unplaced() {
            self.again.set().map_err(|error| self.cgroups.unreadable(error.into()))?;
        }
        self.settled &= changes.is_empty();
        Ok(Some(()))
    }

    /// Reads the lists of the cgroups, and holds what is known against them.
    fn read_lists(&mut self, changes: &mut Vec<Change>) -> io::Result<()> {
        let Self { cgroups: CgroupProcs { tree, reader }, known, .. } = self;
        let mut changed = !self.settled;
        for (group, keep) in tree.groups() {
            // One that cannot be read tells nothing; those who were in it are looked up below.
            for read in [group.read(keep), group.read_threads(keep)] {
                changed |= match read {
                    Err(error) if is_ours(&error) => return Err(error),
                    read => read.unwrap_or(false),
                };
            }
        }
        if !changed {
            return Ok(());
        }
        let mut listed = HashMap::new();
        let mut tids = HashSet::new();
        for (group, _) in tree.groups().filter(|(group, _)| !group.refused) {
            let place = (Arc::clone(&group.pod), group.container.clone());
            listed.extend(group.pids().map(|pid| (pid, place.clone())));
            tids.extend(group.tids());
        }
        let is_where = |process: &Process, (pod, container): &(Arc<str>, Option<Arc<str>>)| {
            process.pod_uid == *pod && process.container_id == *container
        };
        let moved = listed
            .iter()
            .filter(|(pid, place)| known.get(**pid).is_none_or(|process| !is_where(process, place)));
        let missing = known.processes().map(|process| process.id.pid).filter(|pid| !listed.contains_key(pid));
        let doubtful: Vec<u32> = moved.map(|(&pid, _)| pid).chain(missing).collect();
        for pid in doubtful {
            known.look_at(pid, reader, changes);
        }
        // What was looked at just now may have threads that began after the lists were read; of those the events come.
        known.retain_threads(|tid| tids.contains(&tid), changes);
        known.compared();
        self.settled = listed.keys().all(|&pid| known.get(pid).is_some());
        Ok(())
    }

    fn report(&mut self, always_read: bool) -> Result<Changes, SourceError> {
        let mut changes = Vec::new();
        if self.take_events(&mut changes)?.is_none() {
            return Ok(Changes::Unknown);
        }
        let read = self.cgroups.tree.update().and_then(|other_cgroups| {
            if always_read || other_cgroups { self.read_lists(&mut changes) } else { Ok(()) }
        });
        read.map_err(|error| self.cgroups.unreadable(error))?;
        Ok(Changes::List(changes))
    }
}

impl ProcessSource for ProcConnector {
    fn name(&self) -> &'static str {
        "proc-connector"
    }

    fn snapshot(&mut self, governed: &Governed) -> Result<Snapshot, SourceError> {
        // What happened before is in the snapshot. What happens while it is taken is told later, and does no harm twice.
        self.listen_if(!governed.is_empty())
            .map_err(|error| self.cgroups.unreadable(io::Error::other(error)))?;
        let snapshot = self.cgroups.snapshot(governed)?;
        self.known.replace(&snapshot.processes);
        self.settled = false;
        Ok(snapshot)
    }

    fn changes(&mut self) -> Result<Changes, SourceError> {
        self.report(true)
    }

    fn events(&mut self) -> Result<Changes, SourceError> {
        self.report(false)
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        self.cgroups.survey()
    }

    fn locate(&mut self, tid: u32) -> Result<Located, SourceError> {
        self.cgroups.locate(tid)
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.wake.as_fd())
    }
}

impl Look for Reader {
    /// Nobody can be sure of a process that cannot be read; it is asked for again while its cgroup lists it.
    fn process(&mut self, pid: u32) -> Option<Process> {
        match self.look_up(pid) {
            Ok(Located::InPod(process)) => Some(process),
            _ => None,
        }
    }

    fn thread(&mut self, id: ProcessId, tid: u32) -> Option<u64> {
        self.thread_start(id, tid).ok().flatten()
    }
}
