//! The thread that owns everything: it waits for letters and for events of the kernel side, attaches and attaches again,
//! and lets the governor work.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use gthulhu_http::exit::{self, Exit};
use gthulhu_http::supervised::Supervised;
use gthulhu_lib::intent::Limits;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::standing::{Standing, monotonic_ns};
use crate::config::HonourLimits;
use crate::feed::{FeedHandle, FeedInput};
use crate::govern::{Clock, Governor};
use crate::inbox::{Inbox, Letter};
use crate::machine::{AttachError, AttachErrorKind, Attachment, Departure, Machine};
use crate::status::State;
use crate::supervise::{Ended, Next, Supervisor};
use crate::targets::Wanted;

/// How long to wait at most: the end of the scheduler is no event, and the worker's stamp has to advance.
const TICK: Duration = Duration::from_millis(200);
/// Between two reports to the decision maker, unless there is news.
const REPORT: Duration = Duration::from_secs(1);
/// Between two looks for CPU limits where they cannot be enforced.
const LIMITS: Duration = Duration::from_secs(15);

/// See the module.
pub(super) struct Worker<M: Machine> {
    machine: M,
    pub(super) governor: Governor,
    inbox: Inbox,
    pub(super) standing: Standing,
    honour: HonourLimits,
    limits: Limits,
    clock: Clock,
    pub(super) supervisor: Supervisor,
    pub(super) attached: Option<M::Attached>,
    pub(super) feed: Option<FeedHandle>,
    /// When the next report is due, and the next look for CPU limits.
    report: Instant,
    look_for_limits: Instant,
    /// Whether the log says that the governor cannot work.
    complained: bool,
}

impl<M: Machine> Worker<M> {
    pub(super) fn new(
        machine: M,
        governor: Governor,
        inbox: Inbox,
        standing: Standing,
        honour: HonourLimits,
        limits: Limits,
        clock: Clock,
    ) -> Self {
        let now = clock();
        Self {
            machine,
            governor,
            inbox,
            standing,
            honour,
            limits,
            clock,
            supervisor: Supervisor::default(),
            attached: None,
            feed: None,
            report: now,
            look_for_limits: now,
            complained: false,
        }
    }

    /// Works until told to stop. What keeps the scheduler from being attached at the start ends the process; what does so
    /// later is tried again.
    pub(super) fn run(mut self, first: Option<Wanted>) -> Result<(), Exit> {
        if let Some(wanted) = first {
            self.governor.want(wanted);
        }
        self.begin()?;
        let supervised = Supervised::of_environment();
        supervised.ready();
        let mut told = self.now();
        while self.step().is_continue() {
            let now = self.now();
            if supervised.every().is_some_and(|every| now.saturating_duration_since(told) >= every) {
                supervised.alive();
                told = now;
            }
            self.wait();
        }
        supervised.stopping();
        Ok(())
    }

    /// The first attempt.
    pub(super) fn begin(&mut self) -> Result<(), Exit> {
        self.see_limits();
        if self.is_held() {
            self.departed(self.held());
            return Ok(());
        }
        let Err(error) = self.attach() else { return Ok(()) };
        let code = match error.kind {
            AttachErrorKind::Unsupported => exit::CONFIG,
            AttachErrorKind::Rejected => exit::SOFTWARE,
            AttachErrorKind::NoPermission => exit::NO_PERMISSION,
            AttachErrorKind::Busy => exit::TEMPORARY,
            AttachErrorKind::Failed => {
                self.departed(Departure { why: Ended::Failure, text: error.text });
                return Ok(());
            }
        };
        Err(Exit::new(code, error.text))
    }

    /// Does everything that can be done now.
    pub(super) fn step(&mut self) -> ControlFlow<()> {
        for letter in self.inbox.take() {
            self.read(letter)?;
        }
        self.hear_kernel();
        self.see_limits();
        self.notice_end();
        self.attach_again();
        self.govern();
        self.standing.last_run_ns = monotonic_ns();
        self.tell();
        ControlFlow::Continue(())
    }

    fn wait(&self) {
        let now = self.now();
        let until = if self.attached.is_some() { self.governor.due().min(now + TICK) } else { now + TICK };
        let left = until.saturating_duration_since(now);
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
        let inbox = self.inbox.fd();
        let mut fds = vec![PollFd::new(&inbox, PollFlags::IN)];
        let events = self.attached.as_ref().map(Attachment::events_fd);
        fds.extend(events.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        // Whatever ends the wait, what there is to do is looked up.
        let _ = poll(&mut fds, Some(&timeout));
    }

    pub(super) fn now(&self) -> Instant {
        (self.clock)()
    }

    fn read(&mut self, letter: Letter) -> ControlFlow<()> {
        match letter {
            Letter::File(wanted) => {
                tracing::info!(entries = wanted.entries, "the file of intents has changed");
                self.want(*wanted);
            }
            Letter::FileRefused(error) => {
                tracing::error!("{error}; what was read before holds");
                self.standing.intents.error = Some(error);
            }
            Letter::Upward(feed) => self.feed = Some(feed),
            Letter::Feed(input) => self.read_feed(input),
            Letter::Ask(question, answer) => {
                let told = self.answer(question);
                // Who has gone away does not want it.
                let _ = answer.send(told);
            }
            Letter::Stop => {
                self.attached = None;
                tracing::info!("detached");
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn read_feed(&mut self, input: FeedInput) {
        match input {
            FeedInput::Up { .. } => {
                self.standing.intents.connected = Some(true);
                self.report = self.now();
            }
            FeedInput::Down { .. } => self.standing.intents.connected = Some(false),
            FeedInput::Intents { epoch, generation, set, muted } => {
                match Wanted::of_node(set, &muted, &self.limits) {
                    Ok(wanted) => {
                        let intents = &mut self.standing.intents;
                        (intents.epoch, intents.generation) = (Some(epoch), Some(generation));
                        tracing::info!(
                            epoch,
                            generation,
                            entries = wanted.entries,
                            "the decision maker's set"
                        );
                        self.want(wanted);
                    }
                    Err(fault) => {
                        tracing::error!(epoch, generation, %fault, "the set is refused; the one before holds");
                        self.standing.intents.error = Some(fault.to_string());
                    }
                }
            }
            FeedInput::Explain { id, pid } => self.explain_upward(id, pid),
            // It tells of no processes.
            FeedInput::Told => {}
        }
    }

    fn want(&mut self, wanted: Wanted) {
        self.standing.intents.entries = wanted.entries;
        self.standing.intents.error = None;
        self.governor.want(wanted);
    }

    fn hear_kernel(&mut self) {
        let Some(attached) = &mut self.attached else { return };
        let events = attached.events();
        for event in &events {
            if let Err(error) = self.governor.hear(event, attached.maps()) {
                tracing::warn!(%error, "an event could not be acted on; the next look makes up for it");
            }
        }
        self.pass_on(&events);
    }

    fn govern(&mut self) {
        let now = self.now();
        if self.governor.due() > now {
            return;
        }
        let worked = match &mut self.attached {
            Some(attached) => self.governor.work(attached.maps()),
            None if self.governor.shares() => self.governor.work_for_readers(),
            None => return,
        };
        match worked {
            Ok(()) if self.complained => {
                self.complained = false;
                tracing::info!("strategies can be written again");
            }
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::error!(%error, "strategies cannot be brought up to date; trying again");
            }
            _ => {}
        }
    }

    fn notice_end(&mut self) {
        let departure = self.attached.as_mut().and_then(Attachment::ended);
        let held = (self.attached.is_some() && self.is_held()).then(|| self.held());
        if let Some(departure) = departure.or(held) {
            self.departed(departure);
        }
    }

    fn departed(&mut self, Departure { why, text }: Departure) {
        let now = self.now();
        if self.attached.take().is_some() {
            self.standing.last_exit = Some(text.clone());
        }
        self.supervisor.ended(why, now);
        let state = match (why, self.supervisor.next(now)) {
            (_, Next::Never) => State::Degraded,
            (Ended::OnPurpose, _) => State::Removed,
            (Ended::Limits, _) => State::Held,
            _ => State::Waiting,
        };
        match state {
            State::Degraded => tracing::error!(text, "failed too often; the kernel's own scheduler stays"),
            State::Removed => tracing::warn!(text, "removed on purpose; not attached again for ten minutes"),
            _ => tracing::warn!(text, "not attached"),
        }
        self.standing.becomes(state, text, now);
    }

    fn attach_again(&mut self) {
        if self.attached.is_some() || self.supervisor.next(self.now()) != Next::Attach {
            return;
        }
        if self.is_held() {
            return self.departed(self.held());
        }
        if let Err(AttachError { kind, text }) = self.attach() {
            let why = if kind == AttachErrorKind::Busy { Ended::Busy } else { Ended::Failure };
            self.departed(Departure { why, text });
        }
    }

    fn attach(&mut self) -> Result<(), AttachError> {
        let governor = &mut self.governor;
        governor.start_anew();
        let attached = self.machine.attach(&mut |maps| governor.work(maps))?;
        self.attached = Some(attached);
        self.supervisor.attached();
        self.standing.attachments += 1;
        let now = self.now();
        self.standing.becomes(State::Attached, "", now);
        let facts = self.governor.facts();
        tracing::info!(generation = facts.generation, rules = facts.rules, pids = facts.pids, "attached");
        Ok(())
    }

    /// Looks for CPU limits now and then, where there is nobody to enforce them.
    fn see_limits(&mut self) {
        let now = self.now();
        self.standing.limits.enforced = self.machine.enforces_limits();
        if self.standing.limits.enforced || now < self.look_for_limits {
            return;
        }
        self.look_for_limits = now + LIMITS;
        let before = self.standing.limits.broken();
        self.standing.limits.cgroups = self.governor.tree().limited();
        if self.standing.limits.broken() && !before {
            let cgroups = self.standing.limits.cgroups;
            tracing::warn!(
                cgroups,
                "this kernel does not let a scheduler enforce CPU limits: those of pods do not hold"
            );
        }
    }

    /// Whether limits keep this scheduler from being attached.
    fn is_held(&self) -> bool {
        self.honour == HonourLimits::Require && self.standing.limits.broken()
    }

    fn held(&self) -> Departure {
        let text = format!(
            "{} cgroups of pods have CPU limits that could not be enforced on this kernel",
            self.standing.limits.cgroups
        );
        Departure { why: Ended::Limits, text }
    }

    fn tell(&mut self) {
        let now = self.now();
        if self.feed.is_none() || !(self.standing.take_news() || now >= self.report) {
            return;
        }
        self.report = now + REPORT;
        let counters = self.counters();
        if let Some(feed) = &self.feed {
            feed.send(counters.into());
        }
    }
}

#[cfg(test)]
mod tests;
