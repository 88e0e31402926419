//! Hears of directories that come and go in the cgroup tree.

use std::collections::{HashMap, HashSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// What a watched directory is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// One that pods' directories are in, or come to be in.
    Above,
    /// That of a pod (its path), or one below it.
    Pod(Arc<Path>),
}

/// Where something came or went.
#[derive(Debug)]
pub(super) enum Told {
    At(HashSet<Place>),
    /// Too much happened to remember.
    Anywhere,
}

#[derive(Debug)]
pub(super) struct Watch {
    inotify: OwnedFd,
    places: HashMap<i32, Place>,
}

impl Watch {
    pub(super) fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self { inotify, places: HashMap::new() })
    }

    /// Watches a directory. What is in it has to be listed after this, or it might be missed.
    pub(super) fn add(&mut self, dir: &Path, place: Place) -> io::Result<()> {
        let flags = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::ONLYDIR;
        self.places.insert(inotify::add_watch(&self.inotify, dir, flags)?, place);
        Ok(())
    }

    /// What was told since the last call.
    pub(super) fn read(&mut self) -> io::Result<Told> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let (mut at, mut lost) = (HashSet::new(), false);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let events = event.events();
            lost |= events.contains(ReadFlags::QUEUE_OVERFLOW);
            if events.contains(ReadFlags::IGNORED) {
                self.places.remove(&event.wd());
            } else if events.contains(ReadFlags::ISDIR) {
                at.extend(self.places.get(&event.wd()).cloned());
            }
        }
        Ok(if lost { Told::Anywhere } else { Told::At(at) })
    }

    /// Readable while there is something to read.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
