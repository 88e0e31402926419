//! What the node's thread last knew about itself, readable without asking it.

use std::sync::{Mutex, PoisonError};

use gthulhu_http::health::Check;

/// The outcome of the last look at the processes and of the last write.
#[derive(Debug)]
pub(super) struct Status {
    source: &'static str,
    faults: Mutex<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    /// `None` before the first scan; then its error, if it had one.
    scan: Option<Result<(), String>>,
    store: Option<String>,
}

impl Status {
    pub(super) fn new(source: &'static str) -> Status {
        Status { source, faults: Mutex::default() }
    }

    /// The name of what finds the processes.
    pub(super) fn source(&self) -> &'static str {
        self.source
    }

    /// Notes a scan; tells whether this is news.
    pub(super) fn scanned(&self, outcome: Result<(), String>) -> bool {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |scan: &Option<Result<(), String>>| matches!(scan, Some(Err(_)));
        let before = failed(&faults.scan);
        faults.scan = Some(outcome);
        failed(&faults.scan) != before
    }

    /// Notes a write to disk.
    pub(super) fn stored(&self, outcome: Result<(), String>) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).store = outcome.err();
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let processes = match &faults.scan {
            None => Check::failed("processes", "not looked up yet"),
            Some(Ok(())) => Check::ok("processes", format!("found by {}", self.source)),
            Some(Err(error)) => Check::failed("processes", error.clone()),
        };
        let state = match &faults.store {
            None => Check::ok("state", "on disk"),
            Some(error) => Check::failed("state", error.clone()),
        };
        vec![processes, state]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(status: &Status) -> Vec<&'static str> {
        status.checks().into_iter().filter(|check| !check.ok).map(|check| check.name).collect()
    }

    #[test]
    fn a_node_is_ready_once_it_has_looked_and_while_it_can_write() {
        let status = Status::new("planted");
        assert_eq!(failing(&status), ["processes"]);
        status.scanned(Ok(()));
        assert_eq!(failing(&status), Vec::<&str>::new());
        status.stored(Err("disk full".to_owned()));
        status.scanned(Err("no /proc".to_owned()));
        assert_eq!(failing(&status), ["processes", "state"]);
        status.stored(Ok(()));
        status.scanned(Ok(()));
        assert_eq!(failing(&status), Vec::<&str>::new());
    }

    #[test]
    fn only_a_change_is_news() {
        let status = Status::new("planted");
        let outcomes = [Ok(()), Ok(()), Err(String::new()), Err("other".to_owned()), Ok(())];
        let news: Vec<bool> = outcomes.into_iter().map(|outcome| status.scanned(outcome)).collect();
        assert_eq!(news, [false, false, true, false, true]);
    }
}
