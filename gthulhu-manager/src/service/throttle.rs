//! How often a password may be guessed: by account, and by where the guesses come from.
//!
//! Names that no user has are counted as those of users are, so that a refusal tells nothing. Counters live in tables
//! of fixed size, found by a hash that is keyed anew in each process: however many names and addresses are tried, the
//! memory is the same, and nobody can make room by trying others. Two names may share a counter, once in tens of
//! thousands; then both wait.
//!
//! An attempt is counted before the password is looked at, so that many at once are no way around. Whoever logged in
//! from somewhere has, from there, a counter of his own: guesses from elsewhere do not lock him out.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many failed logins are borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginLimits {
    /// Failures of one account within [`LoginLimits::window`].
    pub account: u32,
    /// Failures from one address (IPv6: one /64) within the window.
    pub address: u32,
    /// Counted from the first failure; after it the count starts anew.
    pub window: Duration,
    /// Failures of one account in a row, however long apart. Beyond them the account takes no password, except from
    /// where its user logged in before, until his password is reset or the manager is started again.
    pub in_a_row: u32,
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self { account: 10, address: 100, window: Duration::from_secs(15 * 60), in_a_row: 100 }
    }
}

/// What an account that takes no password any more answers: come back tomorrow.
const LOCKED: Duration = Duration::from_secs(24 * 60 * 60);
/// Counters of each table. At the pace of the hashing, not even a flood from everywhere fills so many in one window.
const COUNTERS: usize = 1 << 15;
/// Pairs of account and address that are remembered as good.
const FAMILIAR: usize = 1 << 12;

/// The counters of this process.
pub(super) struct Throttle {
    limits: LoginLimits,
    hasher: RandomState,
    tables: Mutex<Tables>,
}

struct Tables {
    accounts: Vec<Counter>,
    addresses: Vec<Counter>,
    /// Hashes of (account, address); 0 for none.
    familiar: Vec<u64>,
}

#[derive(Clone, Copy, Default)]
struct Counter {
    /// When the window began.
    since: Option<Instant>,
    /// Failures, and attempts that are being judged, within the window.
    failures: u32,
    /// The same, since the last success.
    in_a_row: u32,
}

/// An attempt that may be made. Dropped without a verdict, as when there was no turn to hash, it was none.
pub(super) struct Attempt<'t> {
    throttle: &'t Throttle,
    account: usize,
    address: Option<usize>,
    pair: u64,
    judged: bool,
}

impl Throttle {
    pub(super) fn new(limits: LoginLimits) -> Self {
        let counters = || vec![Counter::default(); COUNTERS];
        let tables = Tables { accounts: counters(), addresses: counters(), familiar: vec![0; FAMILIAR] };
        Self { limits, hasher: RandomState::new(), tables: Mutex::new(tables) }
    }

    /// Admits an attempt on an account, or says after how long one would be admitted.
    pub(super) fn attempt(
        &self,
        username: &str,
        from: Option<IpAddr>,
        now: Instant,
    ) -> Result<Attempt<'_>, Duration> {
        let from = from.map(network);
        // Zero stands for no pair.
        let pair = self.hash(&(username, from)).max(1);
        let mut tables = self.lock();
        let familiar = from.is_some() && tables.familiar[place(pair, FAMILIAR)] == pair;
        let account = place(if familiar { pair } else { self.hash(&username) }, COUNTERS);
        let address = from.filter(|_| !familiar).map(|from| place(self.hash(&from), COUNTERS));
        let limits = &self.limits;
        if tables.accounts[account].in_a_row >= limits.in_a_row {
            return Err(LOCKED);
        }
        tables.accounts[account].admits(limits.account, limits.window, now)?;
        if let Some(address) = address {
            tables.addresses[address].admits(limits.address, limits.window, now)?;
        }
        tables.accounts[account].count(now);
        if let Some(address) = address {
            tables.addresses[address].count(now);
        }
        Ok(Attempt { throttle: self, account, address, pair, judged: false })
    }

    /// Forgets the failures of an account: its password was set by someone else.
    pub(super) fn forgive(&self, username: &str) {
        let account = place(self.hash(&username), COUNTERS);
        self.lock().accounts[account] = Counter::default();
    }

    fn hash(&self, key: &impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Every change of a counter is whole, whatever happens to its maker.
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counter {
    /// Refuses when the window is full, and starts a new one when it is over.
    fn admits(&mut self, limit: u32, window: Duration, now: Instant) -> Result<(), Duration> {
        let since = self.since.map(|since| now.saturating_duration_since(since));
        match since {
            Some(passed) if passed < window && self.failures >= limit => Err(window.saturating_sub(passed)),
            Some(passed) if passed < window => Ok(()),
            _ => {
                (self.since, self.failures) = (None, 0);
                Ok(())
            }
        }
    }

    fn count(&mut self, now: Instant) {
        self.since = self.since.or(Some(now));
        self.failures = self.failures.saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
    }

    fn uncount(&mut self) {
        self.failures = self.failures.saturating_sub(1);
        self.in_a_row = self.in_a_row.saturating_sub(1);
    }
}

impl Attempt<'_> {
    /// The password was wrong, or there is no such user, or he may not.
    pub(super) fn failed(mut self) {
        self.judged = true;
    }

    /// It was right.
    pub(super) fn succeeded(mut self) {
        self.judged = true;
        let mut tables = self.throttle.lock();
        tables.accounts[self.account] = Counter::default();
        if let Some(address) = self.address {
            tables.addresses[address].uncount();
            tables.familiar[place(self.pair, FAMILIAR)] = self.pair;
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.judged {
            let mut tables = self.throttle.lock();
            tables.accounts[self.account].uncount();
            if let Some(address) = self.address {
                tables.addresses[address].uncount();
            }
        }
    }
}

fn place(hash: u64, places: usize) -> usize {
    usize::try_from(hash % places as u64).unwrap_or(0)
}

/// What one customer of a network has: a whole address of the old kind, a /64 of the new one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests;
