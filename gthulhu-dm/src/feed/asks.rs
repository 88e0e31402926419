//! Questions to the scheduler on their way, and who waits for the answers.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use gthulhu_lib::wire::feed::{Explain, Explanation};
use tokio::sync::oneshot;

/// Questions that may be open at a time; older ones are given up.
pub(super) const OPEN: usize = 64;

/// A question about one task.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) pid: u32,
    pub(super) answer: oneshot::Sender<Explanation>,
}

/// The open questions to one peer.
#[derive(Debug, Default)]
pub(super) struct Asked(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    last: u64,
    asks: VecDeque<(u64, Ask)>,
}

impl Asked {
    /// The question as it travels.
    pub(super) fn put(&self, ask: Ask) -> Explain {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.last += 1;
        let (id, pid) = (open.last, ask.pid);
        if open.asks.len() == OPEN {
            open.asks.pop_front();
        }
        open.asks.push_back((id, ask));
        Explain { id, pid }
    }

    /// Hands an answer to whoever asked; one to no question is dropped.
    pub(super) fn answered(&self, explanation: Explanation) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |(id, ask): &(u64, Ask)| (*id, ask.pid) == (explanation.id, explanation.pid);
        let Some((_, ask)) = open.asks.iter().position(of).and_then(|at| open.asks.remove(at)) else {
            return;
        };
        // He may have gone away in the meantime.
        let _ = ask.answer.send(explanation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(asked: &Asked, pid: u32) -> (Explain, oneshot::Receiver<Explanation>) {
        let (answer, answered) = oneshot::channel();
        (asked.put(Ask { pid, answer }), answered)
    }

    fn answer(id: u64, pid: u32) -> Explanation {
        Explanation { id, pid, ..Explanation::default() }
    }

    #[test]
    fn an_answer_reaches_whoever_asked_that_question() {
        let asked = Asked::default();
        let ((first, mut one), (second, mut two)) = (ask(&asked, 42), ask(&asked, 42));
        assert_ne!(first.id, second.id);
        asked.answered(answer(second.id, 43));
        asked.answered(answer(99, 42));
        assert!(two.try_recv().is_err(), "an answer to another question");
        asked.answered(answer(second.id, 42));
        assert_eq!(two.try_recv().unwrap(), answer(second.id, 42));
        asked.answered(answer(first.id, 42));
        assert_eq!(one.try_recv().unwrap(), answer(first.id, 42));
    }

    #[test]
    fn no_more_than_so_many_are_open() {
        let asked = Asked::default();
        let mut waiting: Vec<_> = (0..=OPEN).map(|_| ask(&asked, 1).1).collect();
        assert!(matches!(waiting[0].try_recv(), Err(oneshot::error::TryRecvError::Closed)), "given up");
        assert!(matches!(waiting[1].try_recv(), Err(oneshot::error::TryRecvError::Empty)));
    }
}
