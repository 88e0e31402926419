//! The way of commands to the node's thread, which waits for them and for its source of processes at once.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        mpsc::{self, TryRecvError},
    },
    time::Duration,
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::{Command, NodeError};

/// Both ends of a new way.
pub(super) fn channel() -> io::Result<(Commands, Inbox)> {
    let (sender, receiver) = mpsc::channel();
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    Ok((Commands { sender, bell: Bell(Arc::clone(&bell)) }, Inbox { receiver, bell }))
}

/// Where commands are given. The thread ends when the last of these is dropped.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    // Dropped before the bell: whoever hears the last one finds that nobody can send any more.
    sender: mpsc::Sender<Command>,
    bell: Bell,
}

impl Commands {
    pub(super) fn send(&self, command: Command) -> Result<(), NodeError> {
        self.sender.send(command).map_err(|_| NodeError::Ended)?;
        self.bell.ring();
        Ok(())
    }
}

/// Rings when something was sent, and when a sender is dropped.
#[derive(Debug, Clone)]
struct Bell(Arc<OwnedFd>);

impl Bell {
    fn ring(&self) {
        // A counter that is full is as loud as it gets.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.ring();
    }
}

/// Where commands are taken.
#[derive(Debug)]
pub(super) struct Inbox {
    receiver: mpsc::Receiver<Command>,
    bell: Arc<OwnedFd>,
}

/// What ended a wait. Neither: time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Woken {
    /// There may be commands.
    pub(super) by_bell: bool,
    /// The source has something to tell.
    pub(super) by_source: bool,
}

impl Inbox {
    /// Waits for commands, for the source if there is one to wait for, or for so long.
    pub(super) fn wait(&self, source: Option<BorrowedFd<'_>>, at_most: Duration) -> Woken {
        let wanted = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        // Without a source the bell is waited for twice.
        let bell = self.bell.as_fd();
        let mut both = [wanted(bell), wanted(source.unwrap_or(bell))];
        // Too long for the kernel is as good as for ever.
        let timeout = Timespec::try_from(at_most).ok();
        // A signal is as good as a timeout that comes early: whoever waits looks at the clock.
        let _ = poll(&mut both, timeout.as_ref());
        let [by_bell, by_source] = both.map(|one| !one.revents().is_empty());
        if by_bell {
            let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        }
        Woken { by_bell, by_source: by_source && source.is_some() }
    }

    /// The commands that are here, in order; `None` when there are none and never will be.
    pub(super) fn take(&self) -> Option<Vec<Command>> {
        let mut commands = Vec::new();
        loop {
            match self.receiver.try_recv() {
                Ok(command) => commands.push(command),
                Err(TryRecvError::Empty) => return Some(commands),
                Err(TryRecvError::Disconnected) => {
                    return Some(commands).filter(|commands| !commands.is_empty());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::sync::oneshot;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn command() -> Command {
        Command::Holding(oneshot::channel().0)
    }

    #[test]
    fn whoever_waits_hears_of_commands_of_the_source_and_of_the_end() {
        let (commands, inbox) = channel().unwrap();
        let silent = inbox.wait(None, Duration::ZERO);
        assert!(!silent.by_bell && !silent.by_source);
        let other = commands.clone();
        commands.send(command()).unwrap();
        other.send(command()).unwrap();
        assert!(inbox.wait(None, LONG).by_bell);
        assert_eq!(inbox.take().map(|commands| commands.len()), Some(2));

        let source = eventfd(1, EventfdFlags::CLOEXEC).unwrap();
        let woken = inbox.wait(Some(source.as_fd()), LONG);
        assert!(woken.by_source && !woken.by_bell);

        drop(commands);
        assert!(inbox.wait(None, LONG).by_bell);
        assert!(inbox.take().is_some_and(|commands| commands.is_empty()), "the other can still send");
        let begun = Instant::now();
        let waiting = std::thread::spawn(move || {
            while inbox.take().is_some() {
                inbox.wait(None, LONG);
            }
        });
        drop(other);
        waiting.join().unwrap();
        assert!(begun.elapsed() < LONG, "the end was not heard");
    }
}
