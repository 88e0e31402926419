//! Password hashing takes tens of milliseconds and 19 MiB, so only two run at once and few may wait: a flood of
//! logins costs neither memory nor the processors that everyone else needs.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::ServiceError;

const RUNNING_MAX: usize = 2;
const WAITING_MAX: usize = 32;

pub(super) struct Hashing {
    turns: Mutex<Turns>,
    freed: Condvar,
}

#[derive(Default)]
struct Turns {
    running: usize,
    waiting: usize,
}

/// A turn, given back when dropped, also by a panic.
struct Turn<'h>(&'h Hashing);

impl Hashing {
    pub(super) fn new() -> Self {
        Self { turns: Mutex::default(), freed: Condvar::new() }
    }

    /// Runs `hash` when it is its turn. [`ServiceError::Busy`] when too many wait already.
    pub(super) fn run<T>(&self, hash: impl FnOnce() -> T) -> Result<T, ServiceError> {
        let _turn = self.turn()?;
        Ok(hash())
    }

    fn turn(&self) -> Result<Turn<'_>, ServiceError> {
        let mut turns = self.lock();
        if turns.running >= RUNNING_MAX && turns.waiting >= WAITING_MAX {
            return Err(ServiceError::Busy);
        }
        turns.waiting += 1;
        while turns.running >= RUNNING_MAX {
            turns = self.freed.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
        turns.waiting -= 1;
        turns.running += 1;
        Ok(Turn(self))
    }

    /// The counters are whole at every moment the lock is free, whatever happened to its holder.
    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn two_run_others_wait_and_the_rest_is_refused() {
        let hashing = Hashing::new();
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (entered, leave) = (Barrier::new(RUNNING_MAX + 1), Barrier::new(RUNNING_MAX + 1));
        thread::scope(|scope| {
            for _ in 0..RUNNING_MAX {
                scope.spawn(|| hashing.run(|| (entered.wait(), leave.wait())).map(drop).unwrap());
            }
            entered.wait();
            for _ in 0..WAITING_MAX {
                scope.spawn(|| {
                    let count = || {
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        running.fetch_sub(1, Ordering::SeqCst);
                    };
                    hashing.run(count).unwrap();
                });
            }
            while hashing.lock().waiting < WAITING_MAX {
                thread::yield_now();
            }
            assert!(matches!(hashing.run(|| ()), Err(ServiceError::Busy)));
            leave.wait();
        });
        assert!(most.into_inner() <= RUNNING_MAX);
        assert!(hashing.run(|| ()).is_ok(), "all turns were given back");
    }

    #[test]
    fn a_panic_gives_its_turn_back() {
        let hashing = Hashing::new();
        for _ in 0..=RUNNING_MAX {
            let run = std::panic::AssertUnwindSafe(|| hashing.run(|| panic!("in a hash")));
            assert!(std::panic::catch_unwind(run).is_err());
        }
        assert!(hashing.run(|| ()).is_ok());
    }
}
