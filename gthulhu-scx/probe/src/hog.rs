//! Threads that never sleep, and how much they got done.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread::{self, JoinHandle};

use serde::{Deserialize, Serialize};

use crate::{clock, cpu_time};

/// What a hog got done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Units of work, of all threads. A unit is the same number of instructions everywhere.
    pub work: u64,
    /// From the start to the end, in nanoseconds.
    pub elapsed_ns: u64,
    /// CPU time of each thread, in nanoseconds.
    pub cpu_ns: Vec<u64>,
}

/// Spinning threads, until they are told to stop.
#[derive(Debug)]
pub struct Hog {
    stop: Arc<AtomicBool>,
    begun: u64,
    threads: Vec<JoinHandle<(u64, u64)>>,
}

impl Hog {
    /// Starts this many threads, at least one.
    ///
    /// They compute only when all have been made: whoever makes threads beside those that compute already has to wait for
    /// all of them again and again, and a thousand would take a thousand times a thousand turns.
    pub fn start(threads: usize) -> Hog {
        let stop = Arc::new(AtomicBool::new(false));
        // Readers of a lock are let in by one call, and none waits for another.
        let gate = Arc::new(RwLock::new(()));
        let closed = gate.write();
        let spinner = || {
            let (gate, stop) = (Arc::clone(&gate), Arc::clone(&stop));
            thread::spawn(move || {
                drop(gate.read());
                spin(&stop)
            })
        };
        let threads = (0..threads.max(1)).map(|_| spinner()).collect();
        let begun = clock::now();
        drop(closed);
        Hog { stop, begun, threads }
    }

    /// Ends all threads.
    pub fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let elapsed_ns = clock::now() - self.begun;
        let ends: Vec<(u64, u64)> =
            self.threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect();
        Report {
            work: ends.iter().map(|(work, _)| work).sum(),
            elapsed_ns,
            cpu_ns: ends.iter().map(|(_, cpu)| *cpu).collect(),
        }
    }
}

fn spin(stop: &AtomicBool) -> (u64, u64) {
    let mut work = 0;
    let mut number = 1;
    while !stop.load(Ordering::Relaxed) {
        number = unit(number);
        work += 1;
    }
    black_box(number);
    (work, cpu_time::own_thread())
}

/// About a thousand instructions without a branch worth the name.
fn unit(mut number: u64) -> u64 {
    for _ in 0..64 {
        number = black_box(number).wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        number ^= number >> 29;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_spins_until_it_is_stopped() {
        let hog = Hog::start(2);
        clock::sleep(20_000_000);
        let report = hog.stop();
        assert_eq!(report.cpu_ns.len(), 2);
        assert!(report.work > 0 && report.elapsed_ns >= 20_000_000);
    }
}
