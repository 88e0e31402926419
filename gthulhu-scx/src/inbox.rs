//! Letters to the thread that governs, and a bell that its poll can hear.
//!
//! There is room for a few letters only: who writes faster than they are read waits, and with him whoever sends him
//! things. So nothing piles up here.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

use rustix::event::{EventfdFlags, eventfd};

use crate::control::{Answer, Question};
use crate::feed::{FeedHandle, FeedInput};
use crate::targets::Wanted;

/// How many letters may wait.
const ROOM: usize = 16;

/// What the thread is told.
#[derive(Debug)]
pub enum Letter {
    /// The file has another content.
    File(Box<Wanted>),
    /// The file has a content that cannot be taken, and why.
    FileRefused(String),
    /// The way up to the decision maker, whether or not that is there.
    Upward(FeedHandle),
    /// The decision maker says something.
    Feed(FeedInput),
    /// Somebody asks.
    Ask(Question, Sender<Answer>),
    /// Stop.
    Stop,
}

/// Where letters arrive.
#[derive(Debug)]
pub struct Inbox {
    letters: Receiver<Letter>,
    bell: Arc<OwnedFd>,
}

/// Where letters are sent to. Clones lead to the same inbox.
#[derive(Clone, Debug)]
pub struct Address {
    letters: SyncSender<Letter>,
    bell: Arc<OwnedFd>,
}

/// An inbox and its address.
pub fn inbox() -> io::Result<(Address, Inbox)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (sender, receiver) = sync_channel(ROOM);
    Ok((Address { letters: sender, bell: Arc::clone(&bell) }, Inbox { letters: receiver, bell }))
}

impl Address {
    /// Sends a letter, waiting for room; whether there is still anybody to read it.
    pub fn send(&self, letter: Letter) -> bool {
        let sent = self.letters.send(letter).is_ok();
        // A bell that is full rings already.
        let _ = rustix::io::write(&*self.bell, &1_u64.to_ne_bytes());
        sent
    }
}

impl Inbox {
    /// Readable while there may be letters.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// The letters that have arrived, in their order.
    pub fn take(&self) -> Vec<Letter> {
        // First the bell: a letter that comes after this rings again.
        let _ = rustix::io::read(&*self.bell, &mut [0; 8]);
        self.letters.try_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn rings(inbox: &Inbox) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&inbox.fd(), PollFlags::IN)], Some(&now)).unwrap() > 0
    }

    #[test]
    fn the_bell_rings_until_the_letters_are_taken() {
        let (address, inbox) = inbox().unwrap();
        assert!(!rings(&inbox));
        for text in ["one", "two"] {
            assert!(address.clone().send(Letter::FileRefused(text.to_owned())));
        }
        assert!(rings(&inbox));
        let texts: Vec<String> = inbox
            .take()
            .into_iter()
            .map(|letter| match letter {
                Letter::FileRefused(text) => text,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(texts, ["one", "two"]);
        assert!(!rings(&inbox) && inbox.take().is_empty());
        drop(inbox);
        assert!(!address.send(Letter::Stop));
    }
}
