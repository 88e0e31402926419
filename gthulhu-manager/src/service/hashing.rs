//! Password hashing takes tens of milliseconds and 19 MiB, so two threads do it all and few may wait for them: a flood
//! of logins costs neither memory nor the processors that everyone else needs.
//!
//! Each of the threads keeps the memory of its hashes: given back and taken anew by every request's own thread, it would
//! come to hundreds of megabytes in the allocator's hands.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::ServiceError;
use crate::domain::{HashCost, HashMemory, PasswordHash};

const RUNNING_MAX: usize = 2;
const WAITING_MAX: usize = 32;

type Job = Box<dyn FnOnce(&mut HashMemory) + Send>;

/// The threads end when this is dropped.
pub(super) struct Hashing(SyncSender<Job>);

impl Hashing {
    pub(super) fn new() -> Self {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..RUNNING_MAX {
            let jobs = Arc::clone(&receiver);
            let started = thread::Builder::new().name(format!("hash-{number}")).spawn(move || work(&jobs));
            if let Err(error) = started {
                tracing::error!(%error, "a thread for passwords could not be started");
            }
        }
        Self(sender)
    }

    /// The hash of a new password.
    pub(super) fn hash(&self, password: &str) -> Result<PasswordHash, ServiceError> {
        let password = password.to_owned();
        self.run(move |memory| PasswordHash::new_in(&password, memory))
    }

    /// Is it the hash of this password? Takes as long as hashes of all these costs, so that the time tells nothing.
    pub(super) fn verify(
        &self,
        hash: &PasswordHash,
        password: &str,
        costs: Vec<HashCost>,
    ) -> Result<bool, ServiceError> {
        let (hash, password) = (hash.clone(), password.to_owned());
        self.run(move |memory| {
            let matches = hash.verify_in(&password, memory);
            for cost in costs.into_iter().filter(|cost| *cost != hash.cost()) {
                std::hint::black_box(PasswordHash::nobody_of(cost).verify_in(&password, memory));
            }
            matches
        })
    }

    /// Has it done when it is its turn. [`ServiceError::Busy`] when too many wait already.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut HashMemory) -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let (done, result) = channel();
        let job = move |memory: &mut HashMemory| {
            // Whoever waits for the result is told of a panic; if he has gone away, nobody is.
            let _ = done.send(catch_unwind(AssertUnwindSafe(|| work(memory))));
        };
        self.0.try_send(Box::new(job)).map_err(|_| ServiceError::Busy)?;
        Ok(result.recv().map_err(|_| ServiceError::Busy)?.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

/// What each thread does until the sender is gone.
fn work(jobs: &Mutex<Receiver<Job>>) {
    let mut memory = HashMemory::default();
    loop {
        // The lock is free again before the job begins.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(&mut memory),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn two_run_others_wait_and_the_rest_is_refused() {
        let hashing = Arc::new(Hashing::new());
        let both = || Arc::new(Barrier::new(RUNNING_MAX + 1));
        let (entered, leave) = (both(), both());
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let callers = |count: usize, work: Arc<dyn Fn() + Send + Sync>| {
            let caller = |_| {
                let (hashing, work) = (Arc::clone(&hashing), Arc::clone(&work));
                thread::spawn(move || hashing.run(move |_| work()).is_ok())
            };
            (0..count).map(caller).collect::<Vec<_>>()
        };
        let (come, go) = (Arc::clone(&entered), Arc::clone(&leave));
        let mut all = callers(
            RUNNING_MAX,
            Arc::new(move || {
                come.wait();
                go.wait();
            }),
        );
        entered.wait();
        let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
        all.extend(callers(
            WAITING_MAX,
            Arc::new(move || {
                peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                now.fetch_sub(1, Ordering::SeqCst);
            }),
        ));
        // A job that nobody waits for shows whether there is room; it takes a place until there is none.
        let refused =
            || matches!(hashing.0.try_send(Box::new(|_| ())), Err(std::sync::mpsc::TrySendError::Full(_)));
        while !refused() {
            thread::yield_now();
        }
        assert!(matches!(hashing.run(|_| ()), Err(ServiceError::Busy)));
        leave.wait();
        let answers: Vec<_> = all.into_iter().map(|caller| caller.join().unwrap()).collect();
        assert!(answers.iter().filter(|taken| **taken).count() >= RUNNING_MAX, "{answers:?}");
        assert!(most.load(Ordering::SeqCst) <= RUNNING_MAX);
        assert!(hashing.run(|_| ()).is_ok(), "all turns were given back");
    }

    #[test]
    fn a_panic_reaches_its_caller_and_no_other() {
        let hashing = Hashing::new();
        for _ in 0..=RUNNING_MAX {
            let run = AssertUnwindSafe(|| hashing.run(|_| resume_unwind(Box::new("in a hash"))));
            assert!(catch_unwind(run).is_err());
        }
        assert!(hashing.run(|_| ()).is_ok());
    }
}
