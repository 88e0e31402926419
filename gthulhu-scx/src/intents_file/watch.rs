//! The file of intents, read again whenever it changes.
//!
//! What is watched is the directory: editors and tools replace a file by renaming another one over it, and Kubernetes
//! swaps a link beside it. Whatever happens there, the file is read once things have been quiet for a moment, and
//! reported if its bytes are others than before.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;

use gthulhu_lib::intent::Limits;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::{FileError, parse, read};
use crate::targets::Wanted;

/// How long the directory has to be quiet before the file is read: writers need more than one step.
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How many rounds of quiet to wait for at most: a directory may never rest.
const ROUNDS: usize = 20;

/// A file that is watched, with its last content.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    limits: Limits,
    events: OwnedFd,
    /// The bytes that were judged last; `None` after a failure to read.
    last: Option<Vec<u8>>,
}

impl Watch {
    /// Begins to watch, then reads the file for the first time: no change after this is missed.
    pub fn start(path: &Path, limits: Limits) -> Result<(Self, Wanted), FileError> {
        let failed = |source: Errno| FileError::Read { path: path.to_owned(), source: source.into() };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(failed)?;
        let changes = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::MODIFY;
        inotify::add_watch(&events, directory, changes).map_err(failed)?;
        let text = read(path)?;
        let wanted = parse(path, &text, &limits)?;
        Ok((Self { path: path.to_owned(), limits, events, last: Some(text) }, wanted))
    }

    /// Reports every later content, good or bad, from a thread of its own, until `report` says that nobody listens.
    pub fn spawn(
        mut self,
        mut report: impl FnMut(Result<Wanted, FileError>) -> bool + Send + 'static,
    ) -> io::Result<()> {
        let run = move || {
            while self.wait().is_ok() {
                if let Some(news) = self.look()
                    && !report(news)
                {
                    return;
                }
            }
        };
        thread::Builder::new().name("intents".to_owned()).spawn(run).map(drop)
    }

    /// Waits for a change, and then for the writer to be done.
    fn wait(&mut self) -> io::Result<()> {
        self.poll(None)?;
        for _ in 0..ROUNDS {
            self.drain()?;
            if !self.poll(Some(&QUIET))? {
                break;
            }
        }
        Ok(())
    }

    fn poll(&self, timeout: Option<&Timespec>) -> io::Result<bool> {
        loop {
            match poll(&mut [PollFd::new(&self.events, PollFlags::IN)], timeout) {
                Err(Errno::INTR) => {}
                ready => return Ok(ready? > 0),
            }
        }
    }

    fn drain(&self) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.events, &mut buffer);
        loop {
            match reader.next() {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What is in the file now, if that is news.
    fn look(&mut self) -> Option<Result<Wanted, FileError>> {
        match read(&self.path) {
            Ok(text) if self.last.as_ref() == Some(&text) => None,
            Ok(text) => {
                let parsed = parse(&self.path, &text, &self.limits);
                self.last = Some(text);
                Some(parsed)
            }
            Err(error) => self.last.take().map(|_| Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn text(priorities: &[i64]) -> String {
        let entries: Vec<String> = priorities
            .iter()
            .map(|priority| format!("{{\"podID\": \"a\", \"priority\": {priority}}}"))
            .collect();
        format!("{{\"intents\": [{}]}}", entries.join(", "))
    }

    fn watched(path: &Path) -> (Wanted, Receiver<Result<usize, String>>) {
        let (sender, receiver) = channel();
        let (watch, first) = Watch::start(path, Limits::default()).unwrap();
        let report = move |news: Result<Wanted, FileError>| {
            sender.send(news.map(|wanted| wanted.entries).map_err(|error| error.to_string())).is_ok()
        };
        watch.spawn(report).unwrap();
        (first, receiver)
    }

    #[test]
    fn every_way_of_replacing_a_file_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("intents.json");
        fs::write(&path, text(&[1])).unwrap();
        let (first, news) = watched(&path);
        assert_eq!(first.entries, 1);

        fs::write(&path, text(&[1, 2])).unwrap();
        assert_eq!(news.recv().unwrap(), Ok(2), "written in place");
        let beside = dir.path().join("new");
        fs::write(&beside, text(&[1, 2, 3])).unwrap();
        fs::rename(&beside, &path).unwrap();
        assert_eq!(news.recv().unwrap(), Ok(3), "renamed over it");
        fs::write(&path, text(&[21])).unwrap();
        let said = news.recv().unwrap().unwrap_err();
        assert!(said.ends_with(":1: intents[0].priority must be 0 to 20"), "{said}");
        fs::remove_file(&path).unwrap();
        let said = news.recv().unwrap().unwrap_err();
        assert!(said.starts_with("cannot read"), "{said}");
        fs::write(&path, text(&[])).unwrap();
        assert_eq!(news.recv().unwrap(), Ok(0));
    }

    #[test]
    fn a_link_that_is_swapped_beside_the_file_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, priorities) in [("one", &[1][..]), ("two", &[1, 2])] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("intents.json"), text(priorities)).unwrap();
        }
        symlink("one", at("data")).unwrap();
        symlink("data/intents.json", at("intents.json")).unwrap();
        let (first, news) = watched(&at("intents.json"));
        assert_eq!(first.entries, 1);
        symlink("two", at("data.new")).unwrap();
        fs::rename(at("data.new"), at("data")).unwrap();
        assert_eq!(news.recv().unwrap(), Ok(2));
    }

    #[test]
    fn a_file_that_is_missing_or_wrong_at_the_start_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("intents.json");
        assert!(matches!(Watch::start(&path, Limits::default()), Err(FileError::Read { .. })));
        fs::write(&path, "{").unwrap();
        assert!(matches!(Watch::start(&path, Limits::default()), Err(FileError::Wrong { .. })));
    }
}
