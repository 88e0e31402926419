//! Request bodies that come slowly. They are kept in memory while they come, so what they may use together is
//! limited; the one that has taken longest gives way to a new one. A body that is all there needs no place here.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The slow bodies of one listener.
#[derive(Debug)]
pub(super) struct SlowBodies {
    /// Bodies at once.
    most: usize,
    /// Bytes of all together.
    bytes: usize,
    coming: Mutex<Coming>,
}

#[derive(Debug, Default)]
struct Coming {
    next: u64,
    bytes: usize,
    /// Oldest first.
    bodies: BTreeMap<u64, Slow>,
}

#[derive(Debug)]
struct Slow {
    bytes: usize,
    /// Dropped to tell the reader that it has to give way.
    _stay: oneshot::Sender<()>,
}

/// One body's place, given back when dropped.
#[derive(Debug)]
pub(super) struct Place<'b> {
    all: &'b SlowBodies,
    number: u64,
    stay: oneshot::Receiver<()>,
}

impl SlowBodies {
    pub(super) fn new(most: usize, bytes: usize) -> SlowBodies {
        SlowBodies { most, bytes, coming: Mutex::default() }
    }

    /// A place for a body of which this many bytes are there.
    pub(super) fn enter(&self, bytes: usize) -> Place<'_> {
        let (sender, stay) = oneshot::channel();
        let mut coming = self.lock();
        let number = coming.next;
        coming.next += 1;
        coming.bytes += bytes;
        coming.bodies.insert(number, Slow { bytes, _stay: sender });
        coming.shrink(self, number);
        Place { all: self, number, stay }
    }

    fn lock(&self) -> MutexGuard<'_, Coming> {
        // The sums are right whenever the lock is free, whatever happened to its holder.
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coming {
    /// Sends the oldest away until the others fit. One body alone always fits: its own limit is enough.
    fn shrink(&mut self, limits: &SlowBodies, keep: u64) {
        while self.bodies.len() > limits.most.max(1) || self.bytes > limits.bytes {
            let Some(&oldest) = self.bodies.keys().find(|number| **number != keep) else { return };
            self.leave(oldest);
        }
    }

    fn leave(&mut self, number: u64) {
        if let Some(slow) = self.bodies.remove(&number) {
            self.bytes -= slow.bytes;
        }
    }
}

impl Place<'_> {
    /// More of the body has come.
    pub(super) fn grew(&self, bytes: usize) {
        let mut coming = self.all.lock();
        let Some(slow) = coming.bodies.get_mut(&self.number) else { return };
        slow.bytes += bytes;
        coming.bytes += bytes;
        coming.shrink(self.all, self.number);
    }

    /// What `work` gives, or none when this body has to give way before.
    pub(super) async fn unless_sent_away<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        if self.stay.is_terminated() {
            return None;
        }
        let mut work = pin!(work);
        tokio::select! {
            biased;
            // Nothing is ever sent: this ends when the other end is dropped.
            _ = &mut self.stay => None,
            value = &mut work => Some(value),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.all.lock().leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the places still hold.
    async fn held(places: &mut [Place<'_>]) -> Vec<bool> {
        let mut held = Vec::new();
        for place in places {
            held.push(place.unless_sent_away(std::future::ready(())).await.is_some());
        }
        held
    }

    #[tokio::test]
    async fn the_oldest_gives_way_when_there_are_too_many() {
        let all = SlowBodies::new(2, 1000);
        let mut places = [all.enter(0), all.enter(0), all.enter(0)];
        assert_eq!(held(&mut places).await, [false, true, true]);
        drop(places);
        assert!(all.lock().bodies.is_empty());
    }

    #[tokio::test]
    async fn the_oldest_gives_way_when_they_are_too_large() {
        let all = SlowBodies::new(9, 100);
        let mut places = [all.enter(40), all.enter(40), all.enter(0)];
        places[0].grew(15);
        assert_eq!(held(&mut places).await, [true, true, true]);
        places[0].grew(15);
        assert_eq!(held(&mut places).await, [true, false, true], "it does not send itself away");
        places[0].grew(500);
        assert_eq!(held(&mut places).await, [true, false, false], "alone it may be of any size");
        places[1].grew(500);
        drop(places);
        assert_eq!(all.lock().bytes, 0);
    }
}
