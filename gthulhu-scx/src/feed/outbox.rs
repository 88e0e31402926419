//! What waits to be told to the decision maker: bounded, and only what is still worth telling.

use std::collections::VecDeque;

use gthulhu_lib::wire::feed::{Counters, Event, Events, Explanation, Frame, Processes};

use super::Report;

/// Events that wait at most; older ones are counted as lost.
const EVENTS: usize = 4096;

/// Answers that wait at most.
const ANSWERS: usize = 64;

/// Events told in one frame. Even with the longest paths they fit.
const AT_ONCE: usize = 256;

/// Reports on their way up.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    counters: Option<Box<Counters>>,
    /// Whether the decision maker that is there was not told them yet.
    untold: bool,
    events: VecDeque<Event>,
    lost: u64,
    answers: VecDeque<Explanation>,
    /// Bounded by whoever sends them.
    processes: VecDeque<Processes>,
}

impl Outbox {
    pub(super) fn put(&mut self, report: Report) {
        match report {
            Report::Counters(counters) => {
                self.counters = Some(counters);
                self.untold = true;
            }
            Report::Events(Events { lost, events }) => {
                self.lost = self.lost.saturating_add(lost);
                self.events.extend(events);
                let excess = self.events.len().saturating_sub(EVENTS);
                self.events.drain(..excess);
                self.lost = self.lost.saturating_add(excess as u64);
            }
            Report::Processes(processes) => self.processes.extend(processes),
            Report::Explanation(answer) => {
                self.answers.push_back(answer);
                let excess = self.answers.len().saturating_sub(ANSWERS);
                self.answers.drain(..excess);
            }
        }
    }

    /// The next frame to send, if there is something to say.
    pub(super) fn take(&mut self) -> Option<Frame> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(Frame::Explanation(answer));
        }
        if let Some(counters) = self.counters.as_ref().filter(|_| self.untold) {
            self.untold = false;
            return Some(Frame::Counters(counters.clone()));
        }
        if let Some(processes) = self.processes.pop_front() {
            return Some(Frame::Processes(processes));
        }
        if self.events.is_empty() && self.lost == 0 {
            return None;
        }
        let count = self.events.len().min(AT_ONCE);
        let events = self.events.drain(..count).collect();
        Some(Frame::Events(Events { lost: std::mem::take(&mut self.lost), events }))
    }

    /// Whether processes wait.
    pub(super) fn has_processes(&self) -> bool {
        !self.processes.is_empty()
    }

    /// Another decision maker is there: it has asked nothing yet and knows no counters and no processes.
    pub(super) fn start_anew(&mut self) {
        self.answers.clear();
        self.processes.clear();
        self.untold = self.counters.is_some();
    }
}

#[cfg(test)]
mod tests {
    use gthulhu_lib::wire::feed::SchedulerState;

    use super::*;

    fn events(numbers: std::ops::Range<usize>) -> Report {
        let event = |number: usize| Event { cgroup: number as u64, ..Event::default() };
        Report::Events(Events { lost: 0, events: numbers.map(event).collect() })
    }

    fn counters(state: SchedulerState) -> Counters {
        Counters { state, ..Counters::default() }
    }

    fn answer(id: u64) -> Explanation {
        Explanation { id, ..Explanation::default() }
    }

    #[test]
    fn processes_are_told_part_by_part_in_order() {
        let part = |refused| Processes { refused, ..Processes::default() };
        let mut outbox = Outbox::default();
        outbox.put(events(0..1));
        outbox.put(Report::Processes(vec![part(1), part(2)]));
        assert_eq!(outbox.take(), Some(Frame::Processes(part(1))));
        assert!(outbox.has_processes());
        assert_eq!(outbox.take(), Some(Frame::Processes(part(2))));
        assert!(!outbox.has_processes());
        assert!(matches!(outbox.take(), Some(Frame::Events(_))));
    }

    #[test]
    fn answers_come_before_counters_and_those_before_events() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.take(), None);
        outbox.put(events(0..1));
        outbox.put(counters(SchedulerState::Starting).into());
        outbox.put(counters(SchedulerState::Attached).into());
        outbox.put(answer(7).into());
        assert_eq!(outbox.take(), Some(Frame::Explanation(answer(7))));
        let last = counters(SchedulerState::Attached);
        assert_eq!(outbox.take(), Some(Frame::Counters(Box::new(last))), "the last ones only");
        assert!(matches!(outbox.take(), Some(Frame::Events(_))));
        assert_eq!(outbox.take(), None);
    }

    #[test]
    fn events_without_room_are_counted() {
        let mut outbox = Outbox::default();
        outbox.put(events(0..EVENTS));
        outbox.put(events(EVENTS..EVENTS + 3));
        let mut told = Vec::new();
        let mut lost = 0;
        while let Some(frame) = outbox.take() {
            let Frame::Events(events) = frame else { panic!("{frame:?}") };
            assert!(events.events.len() <= AT_ONCE);
            lost += events.lost;
            told.extend(events.events.iter().map(|event| event.cgroup));
        }
        assert_eq!(lost, 3);
        assert!(told.into_iter().eq(3..EVENTS as u64 + 3), "the newest, in order");
        outbox.put(Report::Events(Events { lost: 5, events: Vec::new() }));
        assert_eq!(outbox.take(), Some(Frame::Events(Events { lost: 5, events: Vec::new() })));
    }

    #[test]
    fn answers_without_room_replace_the_oldest() {
        let mut outbox = Outbox::default();
        for id in 0..ANSWERS as u64 + 2 {
            outbox.put(answer(id).into());
        }
        assert_eq!(outbox.take(), Some(Frame::Explanation(answer(2))));
    }

    #[test]
    fn a_decision_maker_that_comes_back_is_told_the_counters_and_no_old_answer() {
        let mut outbox = Outbox::default();
        outbox.start_anew();
        assert_eq!(outbox.take(), None);
        outbox.put(counters(SchedulerState::Attached).into());
        assert!(outbox.take().is_some());
        outbox.put(answer(1).into());
        outbox.put(Report::Processes(vec![Processes::default(); 2]));
        outbox.start_anew();
        let last = counters(SchedulerState::Attached);
        assert_eq!(outbox.take(), Some(Frame::Counters(Box::new(last))));
        assert_eq!(outbox.take(), None);
    }
}
