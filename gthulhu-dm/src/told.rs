//! What a monitor tells of processes by the feed, and the source that is made of it and of one that works without.
//!
//! A monitor tells of all processes of all pods, and then of whatever becomes of them, in order. Who has told of all last is
//! the one that counts; what others tell is passed over. With its end nothing of what it told holds any more.

use std::{
    io, mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use gthulhu_lib::{
    pod_index::PodIndex,
    process::{Change, Changes, Governed, LeftOut, Process, Snapshot},
    wire::feed::{Processes, processes::News},
};
use rustix::event::{EventfdFlags, eventfd};

mod source;

pub use source::Fed;

/// Changes that wait for the node's thread at most; with more it takes a snapshot.
const WAITING: usize = 1 << 16;

/// What is told now. Cloning is cheap; all clones are the same.
#[derive(Debug, Clone)]
pub struct Told(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    tellers: AtomicU64,
    /// Readable when there is something to be heard.
    bell: OwnedFd,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whose word counts, if all processes were told of.
    teller: Option<u64>,
    view: View,
    /// Of whom not all have been told of yet.
    coming: Option<(u64, View)>,
    /// Whose changes are waited for.
    governed: Governed,
    waiting: Vec<Change>,
    /// There were more changes, or another view.
    missed: bool,
}

/// The processes of pods as they were told of.
#[derive(Debug, Default)]
struct View {
    index: PodIndex,
    left_out: LeftOut,
}

impl Told {
    /// Nothing yet. Fails only when the system has no descriptor to give.
    pub fn new() -> io::Result<Told> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Told(Arc::new(Shared { inner: Mutex::default(), tellers: AtomicU64::new(0), bell })))
    }

    /// A place for somebody who may tell.
    pub fn teller(&self) -> Teller {
        Teller { number: self.0.tellers.fetch_add(1, Ordering::Relaxed), told: self.clone() }
    }

    /// All processes of these pods; and from here on their changes wait. `None`: nobody tells.
    fn snapshot(&self, governed: &Governed) -> Option<Snapshot> {
        let mut inner = self.inner();
        self.hush();
        inner.teller?;
        inner.governed = governed.clone();
        inner.waiting.clear();
        inner.missed = false;
        Some(inner.view.processes(|pod| governed.contains(pod)))
    }

    /// What changed since the last answer. `None`: nobody tells.
    fn changes(&self) -> Option<Changes> {
        let mut inner = self.inner();
        self.hush();
        let waiting = mem::take(&mut inner.waiting);
        inner.teller?;
        Some(if inner.missed { Changes::Unknown } else { Changes::List(waiting) })
    }

    /// All processes of all pods, without threads. `None`: nobody tells.
    fn survey(&self) -> Option<Snapshot> {
        let inner = self.inner();
        inner.teller?;
        let mut all = inner.view.processes(|_| true);
        all.processes.iter_mut().for_each(|process| process.threads.clear());
        Some(all)
    }

    fn bell(&self) -> BorrowedFd<'_> {
        self.0.bell.as_fd()
    }

    fn ring(&self) {
        // A counter that is full is as loud as it gets.
        let _ = rustix::io::write(&self.0.bell, &1_u64.to_ne_bytes());
    }

    fn hush(&self) {
        let _ = rustix::io::read(&self.0.bell, &mut [0; 8]);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who may tell. When it is dropped, what it told does not hold any more.
#[derive(Debug)]
pub struct Teller {
    told: Told,
    number: u64,
}

impl Teller {
    /// Takes what is told.
    pub fn tell(&self, processes: Processes) {
        let Processes { anew, more, refused, unreadable, news } = processes;
        let changes = news.into_iter().filter_map(News::change);
        let mut inner = self.told.inner();
        if anew {
            let left_out = LeftOut { refused, unreadable };
            inner.coming = Some((self.number, View { index: PodIndex::default(), left_out }));
        }
        let is_mine = inner.teller == Some(self.number);
        if let Some((_, view)) = inner.coming.as_mut().filter(|(teller, _)| *teller == self.number) {
            for change in changes {
                view.index.apply(change);
            }
            if more {
                return;
            }
            inner.arrived();
        } else if is_mine {
            changes.for_each(|change| inner.take(change));
        } else {
            return;
        }
        drop(inner);
        self.told.ring();
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let mut inner = self.told.inner();
        inner.coming.take_if(|(teller, _)| *teller == self.number);
        if inner.teller.take_if(|teller| *teller == self.number).is_some() {
            inner.view = View::default();
            inner.waiting = Vec::new();
            drop(inner);
            self.told.ring();
        }
    }
}

impl Inner {
    /// All have been told of.
    fn arrived(&mut self) {
        if let Some((teller, view)) = self.coming.take() {
            (self.teller, self.view) = (Some(teller), view);
            (self.waiting, self.missed) = (Vec::new(), true);
        }
    }

    fn take(&mut self, change: Change) {
        let governed = |index: &PodIndex, pid| {
            let known: Option<&Process> = index.process(pid);
            known.filter(|process| self.governed.contains(&process.pod_uid)).map(|process| process.id)
        };
        let pid = match &change {
            Change::Appeared(process) => process.id.pid,
            Change::Renamed(id, _)
            | Change::ThreadAppeared(id, _)
            | Change::ThreadGone(id, _)
            | Change::Gone(id) => id.pid,
        };
        let before = governed(&self.view.index, pid);
        let is_news = self.view.index.apply(change.clone());
        let after = governed(&self.view.index, pid);
        let told = match (before, after) {
            (None, None) => None,
            // It is in another pod by now, or the number another process's.
            (Some(before), None) => Some(Change::Gone(before)),
            _ => Some(change),
        };
        self.waiting.extend(told.filter(|_| is_news && !self.missed));
        if self.waiting.len() > WAITING {
            self.waiting = Vec::new();
            self.missed = true;
        }
    }
}

impl View {
    fn processes(&self, is_wanted: impl Fn(&str) -> bool) -> Snapshot {
        let wanted = self.index.pods().filter(|(pod, _)| is_wanted(pod));
        let processes = wanted.flat_map(|(_, processes)| processes.iter().cloned()).collect();
        Snapshot { processes, left_out: self.left_out }
    }
}

#[cfg(test)]
mod tests;
