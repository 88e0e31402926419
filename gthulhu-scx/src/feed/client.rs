//! The thread that keeps the connection.

use std::io::{self, ErrorKind, Read as _};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gthulhu_lib::wire::feed::parts::Assembly;
use gthulhu_lib::wire::feed::{Bye, Explain, Frame, Hello, IntentsPart, PROTOCOL, Role};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::FeedInput;
use super::backoff::Backoff;
use super::link::{Link, LinkError};
use super::outbox::Outbox;

/// Why a connection ended.
enum End {
    /// Nobody needs the feed any more.
    Stopped,
    /// It is to be tried again.
    Lost(LinkError),
}

impl<E: Into<LinkError>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Lost(error.into())
    }
}

pub(super) struct Client<D> {
    path: PathBuf,
    role: Role,
    outbox: Arc<Mutex<Outbox>>,
    woken: UnixStream,
    deliver: D,
    backoff: Backoff,
    /// Whether `deliver` knows that the decision maker is there.
    up: bool,
    /// Whether the log says that it is away.
    complained: bool,
}

impl<D: FnMut(FeedInput) -> bool> Client<D> {
    pub(super) fn new(
        path: PathBuf,
        role: Role,
        outbox: Arc<Mutex<Outbox>>,
        woken: UnixStream,
        deliver: D,
    ) -> Self {
        let (backoff, up, complained) = (Backoff::default(), false, false);
        Self { path, role, outbox, woken, deliver, backoff, up, complained }
    }

    /// Works until nobody needs the feed any more.
    pub(super) fn run(mut self) {
        while let Err(End::Lost(error)) = self.session() {
            if self.lost(&error).is_break() || self.pause().is_break() {
                return;
            }
        }
    }

    /// One connection, from its beginning to its end. Never returns `Ok`.
    fn session(&mut self) -> Result<(), End> {
        let mut link = Link::open(&self.path)?;
        link.send(&Frame::Hello(Hello::new(self.role, env!("CARGO_PKG_VERSION"))))?;
        let (mut assembly, mut told) = (Assembly::default(), false);
        loop {
            if self.up && !link.is_sending() {
                if std::mem::take(&mut told) {
                    self.tell(FeedInput::Told)?;
                }
                if let Some(report) = self.next_report(&mut told) {
                    link.send(&report)?;
                    continue;
                }
            }
            let (readable, woken) = self.wait(&link)?;
            if woken && self.was_stopped() {
                // The last word is sent if the peer takes it at once, and not waited for.
                if !link.is_sending() {
                    let who = if self.role == Role::Monitor { "monitor" } else { "scheduler" };
                    let _ = link.send(&Frame::Bye(Bye { reason: format!("the {who} stops") }));
                }
                return Err(End::Stopped);
            }
            link.flush()?;
            if readable {
                link.read()?;
                while let Some(frame) = link.next()? {
                    self.take(frame, &mut assembly)?;
                }
            }
        }
    }

    /// What is to be sent next, and whether no processes wait after it.
    fn next_report(&self, told: &mut bool) -> Option<Frame> {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let report = outbox.take()?;
        *told = matches!(report, Frame::Processes(_)) && !outbox.has_processes();
        Some(report)
    }

    /// Waits until the connection can be used or there is something to say: whether there is something to read, and
    /// whether the other threads want something.
    fn wait(&self, link: &Link) -> io::Result<(bool, bool)> {
        let wanted = if link.is_sending() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut fds = [PollFd::new(link.stream(), wanted), PollFd::new(&self.woken, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok((false, false)),
            Err(error) => return Err(error.into()),
        }
        let [stream, woken] = fds.map(|fd| fd.revents());
        Ok((stream.intersects(!PollFlags::OUT), !woken.is_empty()))
    }

    /// Takes the bytes that woke us; whether the last handle is gone.
    fn was_stopped(&self) -> bool {
        let mut bytes = [0; 256];
        loop {
            match (&self.woken).read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }

    fn take(&mut self, frame: Frame, assembly: &mut Assembly) -> Result<(), End> {
        match frame {
            Frame::Bye(Bye { reason }) => Err(LinkError::Bye(reason).into()),
            Frame::Hello(hello) if !self.up => self.greeted(hello),
            _ if !self.up => Err(LinkError::Foreign("it did not greet".to_owned()).into()),
            Frame::Intents(part) => self.part(part, assembly),
            Frame::Explain(Explain { id, pid }) => self.tell(FeedInput::Explain { id, pid }),
            // Nothing that a decision maker says, or nothing that we know.
            _ => Ok(()),
        }
    }

    fn greeted(&mut self, hello: Hello) -> Result<(), End> {
        let Hello { protocol, role, version } = hello;
        if protocol != PROTOCOL {
            let problem = format!("its protocol is {protocol}, ours is {PROTOCOL}");
            return Err(LinkError::Foreign(problem).into());
        }
        if role != Role::DecisionMaker {
            return Err(LinkError::Foreign(format!("it is no decision maker but {role:?}")).into());
        }
        tracing::info!(socket = %self.path.display(), version, "the decision maker is there");
        self.complained = false;
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).start_anew();
        self.up = true;
        self.tell(FeedInput::Up { version })
    }

    fn part(&mut self, part: IntentsPart, assembly: &mut Assembly) -> Result<(), End> {
        let whole = assembly.add(part).map_err(|error| LinkError::Foreign(error.to_string()))?;
        let Some(set) = whole else { return Ok(()) };
        // Only one who gives us a set wants us: who greets and says bye is not to be asked all the time.
        self.backoff = Backoff::default();
        let (epoch, generation) = (set.epoch, set.generation);
        self.tell(FeedInput::Intents { epoch, generation, set: set.intents, muted: set.muted })
    }

    fn tell(&mut self, input: FeedInput) -> Result<(), End> {
        if (self.deliver)(input) { Ok(()) } else { Err(End::Stopped) }
    }

    /// Says once that the decision maker is away.
    fn lost(&mut self, error: &LinkError) -> ControlFlow<()> {
        let reason = error.to_string();
        if std::mem::replace(&mut self.complained, true) {
            tracing::debug!(reason, "the decision maker is still away");
        } else {
            let socket = self.path.display();
            tracing::warn!(%socket, reason, "the decision maker is away; what it said last holds");
        }
        if std::mem::take(&mut self.up) && !(self.deliver)(FeedInput::Down { reason }) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Waits before the next try; breaks when the last handle is gone.
    fn pause(&mut self) -> ControlFlow<()> {
        let end = Instant::now() + self.backoff.next();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return ControlFlow::Continue(());
            }
            let mut fds = [PollFd::new(&self.woken, PollFlags::IN)];
            // An error of this poll cannot be waited out; the next connection meets it again and says so.
            let woken = poll(&mut fds, Some(&timespec(left))).is_ok_and(|count| count > 0);
            if woken && self.was_stopped() {
                return ControlFlow::Break(());
            }
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
