//! Who is connected, what he said last, and how he went.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gthulhu_http::health::Check;
use gthulhu_lib::wire::feed::{Counters, Events, Role, SchedulerState};
use tokio::{sync::mpsc, time::Instant};

use super::{
    asks::{Ask, OPEN},
    stream::Gone,
};
use crate::metrics::Metrics;

/// Monitors at a time.
const MONITORS: usize = 4;

/// A scheduler that tells no counters for this long has stopped working: they come every few seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// The longest text of a peer that readiness and the log repeat.
const TEXT_MAX: usize = 200;

/// What is known about the peers.
#[derive(Debug)]
pub(super) struct Hub {
    path: PathBuf,
    metrics: Metrics,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Whether there is a socket; if not, why.
    listens: Result<(), String>,
    scheduler: Scheduler,
    monitors: usize,
}

/// The scheduler of the node, as far as the feed knows it.
#[derive(Debug)]
enum Scheduler {
    /// None was ever connected.
    None,
    /// One is connected.
    Here { asks: mpsc::Sender<Ask>, heard: Instant, said: Said },
    /// The last one has gone.
    Gone { said: Said, how: String, with_a_word: bool },
}

/// What a scheduler says of itself.
#[derive(Debug, Clone, Default)]
struct Said {
    state: SchedulerState,
    detail: String,
}

impl Hub {
    pub(super) fn new(path: PathBuf, metrics: Metrics) -> Hub {
        let listens = Err("not made yet".to_owned());
        Hub { path, metrics, inner: Mutex::new(Inner { listens, scheduler: Scheduler::None, monitors: 0 }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whether there is a socket.
    pub(super) fn listens(&self, outcome: Result<(), String>) {
        self.inner().listens = outcome;
    }

    /// Notes a connection that came to nothing.
    pub(super) fn refused(&self, reason: &str) {
        self.metrics.feed.refused.inc();
        tracing::warn!(reason = short(reason), "a connection to the feed was refused");
    }

    /// Where questions to the scheduler go.
    pub(super) fn asks(&self) -> Option<mpsc::Sender<Ask>> {
        match &self.inner().scheduler {
            Scheduler::Here { asks, .. } => Some(asks.clone()),
            _ => None,
        }
    }

    /// A seat for a peer, and the questions that it will be asked; else why there is none.
    pub(super) fn seat(
        self: &Arc<Hub>,
        role: Role,
        version: &str,
    ) -> Result<(Seat, mpsc::Receiver<Ask>), &'static str> {
        let (asks, receiver) = mpsc::channel(OPEN);
        let mut inner = self.inner();
        if role == Role::Scheduler {
            if matches!(inner.scheduler, Scheduler::Here { .. }) {
                return Err("another scheduler is connected");
            }
            inner.scheduler = Scheduler::Here { asks, heard: Instant::now(), said: Said::default() };
        } else {
            if inner.monitors == MONITORS {
                return Err("there are too many monitors");
            }
            inner.monitors += 1;
        }
        drop(inner);
        self.metrics.feed.peers.inc();
        tracing::info!(?role, version = short(version), "a peer of the feed is there");
        let seat = Seat { hub: Arc::clone(self), role, how: "its task has ended".to_owned(), bye: false };
        Ok((seat, receiver))
    }

    /// What readiness says at the time `now`.
    pub(super) fn checks(&self, now: Instant) -> Vec<Check> {
        let inner = self.inner();
        let feed = match &inner.listens {
            Ok(()) => Check::ok("feed", format!("listens at {}", self.path.display())),
            Err(reason) => Check::failed("feed", format!("{reason}; trying again")),
        };
        vec![feed, inner.scheduler.check(now)]
    }
}

impl Scheduler {
    fn check(&self, now: Instant) -> Check {
        let (said, ending) = match self {
            Scheduler::None => return Check::ok("scheduler", "none has come to the feed"),
            Scheduler::Here { heard, said, .. } => {
                let silent = now.saturating_duration_since(*heard);
                if silent > SILENCE {
                    let text = format!("failed: silent for {} s, was {}", silent.as_secs(), said.text());
                    return Check::failed("scheduler", text);
                }
                (said, String::new())
            }
            Scheduler::Gone { said, how, with_a_word } => {
                if !with_a_word && said.state != SchedulerState::Failed {
                    return Check::failed("scheduler", format!("failed: {how}, was {}", said.text()));
                }
                (said, format!("; gone: {how}"))
            }
        };
        let is_here = ending.is_empty();
        match said.state {
            SchedulerState::Failed => Check::failed("scheduler", format!("{}{ending}", said.text())),
            _ if is_here => Check::ok("scheduler", said.text()),
            _ => Check::ok("scheduler", format!("deliberately absent{ending}")),
        }
    }
}

impl Said {
    fn text(&self) -> String {
        let word = match self.state {
            SchedulerState::Starting => "starting",
            SchedulerState::Attached => "attached",
            SchedulerState::Absent => "deliberately absent",
            SchedulerState::Failed => "failed",
            SchedulerState::Unknown => "connected",
        };
        if self.detail.is_empty() { word.to_owned() } else { format!("{word}: {}", self.detail) }
    }
}

/// The place of a connected peer; it is free again when this value is dropped.
pub(super) struct Seat {
    hub: Arc<Hub>,
    role: Role,
    how: String,
    bye: bool,
}

impl Seat {
    /// Takes the scheduler's counters; those of others say nothing about this node's scheduling.
    pub(super) fn counters(&self, counters: Counters) {
        if self.role != Role::Scheduler {
            return;
        }
        let new = Said { state: counters.state, detail: short(&counters.detail) };
        if let Scheduler::Here { heard, said, .. } = &mut self.hub.inner().scheduler {
            *heard = Instant::now();
            if said.state != new.state {
                tracing::info!(was = said.text(), is = new.text(), "the scheduler's state");
            }
            *said = new;
        }
        self.hub.metrics.report(counters);
    }

    /// Counts events.
    pub(super) fn events(&self, events: &Events) {
        self.hub.metrics.feed.events.inc_by(events.events.len() as u64);
        self.hub.metrics.feed.lost_events.inc_by(events.lost);
        for event in &events.events {
            tracing::debug!(?event, "an event");
        }
    }

    /// Notes how the peer went.
    pub(super) fn leave(&mut self, gone: &Gone) {
        (self.how, self.bye) = (short(&gone.to_string()), matches!(gone, Gone::Bye(_)));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let (how, with_a_word) = (std::mem::take(&mut self.how), self.bye);
        tracing::info!(role = ?self.role, how, "a peer of the feed has gone");
        self.hub.metrics.feed.peers.dec();
        let mut inner = self.hub.inner();
        if self.role != Role::Scheduler {
            inner.monitors -= 1;
            return;
        }
        if let Scheduler::Here { said, .. } = &inner.scheduler {
            inner.scheduler = Scheduler::Gone { said: said.clone(), how, with_a_word };
        }
        drop(inner);
        self.hub.metrics.unreport();
    }
}

/// A text of a peer as readiness and the log may show it.
pub(super) fn short(text: &str) -> String {
    text.chars().take(TEXT_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> Arc<Hub> {
        let hub = Hub::new("/run/feed.sock".into(), Metrics::new("node-1", true).unwrap());
        hub.listens(Ok(()));
        Arc::new(hub)
    }

    /// Whether the scheduler's check holds, and what it says.
    fn says(hub: &Hub) -> (bool, String) {
        said_at(hub, Instant::now())
    }

    fn said_at(hub: &Hub, now: Instant) -> (bool, String) {
        let check = hub.checks(now).remove(1);
        assert_eq!(check.name, "scheduler");
        (check.ok, check.detail)
    }

    fn counters(state: SchedulerState, detail: &str) -> Counters {
        Counters { state, detail: detail.to_owned(), ..Counters::default() }
    }

    #[test]
    fn a_socket_that_cannot_be_made_is_a_failed_check() {
        let hub = hub();
        hub.listens(Err("cannot listen".to_owned()));
        assert_eq!(hub.checks(Instant::now())[0], Check::failed("feed", "cannot listen; trying again"));
    }

    #[test]
    fn attached_deliberately_absent_and_failed_are_told_apart() {
        type Row = (SchedulerState, &'static str, (bool, &'static str), Gone, (bool, &'static str));
        let said = |text: &str| Gone::Bye(text.to_owned());
        let rows: [Row; 5] = [
            (
                SchedulerState::Attached,
                "",
                (true, "attached"),
                said("the scheduler stops"),
                (true, "deliberately absent; gone: it said: the scheduler stops"),
            ),
            (
                SchedulerState::Attached,
                "since 5 s",
                (true, "attached: since 5 s"),
                Gone::Closed,
                (false, "failed: it closed the connection, was attached: since 5 s"),
            ),
            (
                SchedulerState::Absent,
                "monitors only",
                (true, "deliberately absent: monitors only"),
                said("bye"),
                (true, "deliberately absent; gone: it said: bye"),
            ),
            (
                SchedulerState::Failed,
                "refused\nby the verifier",
                (false, "failed: refused by the verifier"),
                said("giving up"),
                (false, "failed: refused by the verifier; gone: it said: giving up"),
            ),
            (
                SchedulerState::Unknown,
                "",
                (true, "connected"),
                Gone::Closed,
                (false, "failed: it closed the connection, was connected"),
            ),
        ];
        let hub = hub();
        assert_eq!(says(&hub), (true, "none has come to the feed".to_owned()));
        for (state, detail, here, gone, after) in rows {
            let (mut seat, _asks) = hub.seat(Role::Scheduler, "1").unwrap();
            seat.counters(counters(state, detail));
            assert_eq!(says(&hub), (here.0, here.1.to_owned()));
            seat.leave(&gone);
            drop(seat);
            assert_eq!(says(&hub), (after.0, after.1.to_owned()));
        }
    }

    #[test]
    fn a_scheduler_that_says_nothing_any_more_has_failed() {
        let hub = hub();
        let (seat, _asks) = hub.seat(Role::Scheduler, "1").unwrap();
        seat.counters(counters(SchedulerState::Attached, ""));
        let later = Instant::now() + SILENCE * 2;
        let (ok, text) = said_at(&hub, later);
        assert!(!ok && text.starts_with("failed: silent for ") && text.ends_with("was attached"), "{text}");
    }

    #[test]
    fn there_is_one_scheduler_and_a_few_monitors() {
        let hub = hub();
        let first = hub.seat(Role::Scheduler, "1").unwrap();
        assert_eq!(hub.seat(Role::Scheduler, "2").err(), Some("another scheduler is connected"));
        assert!(hub.asks().is_some());
        let monitors: Vec<_> = (0..MONITORS).map(|_| hub.seat(Role::Monitor, "1").unwrap()).collect();
        assert!(hub.seat(Role::Monitor, "1").is_err());
        monitors[0].0.counters(counters(SchedulerState::Failed, ""));
        assert_eq!(says(&hub), (true, "connected".to_owned()), "a monitor does not speak for the scheduler");
        drop((first, monitors));
        assert!(hub.asks().is_none());
        assert!(hub.seat(Role::Scheduler, "2").is_ok());
        assert!(hub.seat(Role::Monitor, "1").is_ok());
    }
}
