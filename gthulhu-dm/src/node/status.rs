//! What the node's thread last knew about itself, readable without asking it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gthulhu_http::health::Check;

/// The outcome of the last look at the processes and of the last write.
#[derive(Debug)]
pub(super) struct Status(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// What finds the processes, as of the last scan.
    source: &'static str,
    /// `None` before the first scan; then its error, if it had one.
    scan: Option<Result<(), String>>,
    store: Option<String>,
}

impl Status {
    pub(super) fn new(source: &'static str) -> Status {
        Status(Mutex::new(Known { source, scan: None, store: None }))
    }

    /// The name of what finds the processes.
    pub(super) fn source(&self) -> &'static str {
        self.known().source
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a scan by this source; tells whether its outcome is news.
    pub(super) fn scanned(&self, source: &'static str, outcome: Result<(), String>) -> bool {
        let mut known = self.known();
        let failed = |scan: &Option<Result<(), String>>| matches!(scan, Some(Err(_)));
        let before = failed(&known.scan);
        (known.source, known.scan) = (source, Some(outcome));
        failed(&known.scan) != before
    }

    /// Notes a write to disk.
    pub(super) fn stored(&self, outcome: Result<(), String>) {
        self.known().store = outcome.err();
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        let known = self.known();
        let processes = match &known.scan {
            None => Check::failed("processes", "not looked up yet"),
            Some(Ok(())) => Check::ok("processes", format!("found by {}", known.source)),
            Some(Err(error)) => Check::failed("processes", error.clone()),
        };
        let state = match &known.store {
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
        status.scanned("planted", Ok(()));
        assert_eq!(failing(&status), Vec::<&str>::new());
        status.stored(Err("disk full".to_owned()));
        status.scanned("planted", Err("no /proc".to_owned()));
        assert_eq!(failing(&status), ["processes", "state"]);
        status.stored(Ok(()));
        status.scanned("planted", Ok(()));
        assert_eq!(failing(&status), Vec::<&str>::new());
    }

    #[test]
    fn only_a_change_is_news() {
        let status = Status::new("planted");
        let outcomes = [Ok(()), Ok(()), Err(String::new()), Err("other".to_owned()), Ok(())];
        let news: Vec<bool> =
            outcomes.into_iter().map(|outcome| status.scanned("planted", outcome)).collect();
        assert_eq!(news, [false, false, true, false, true]);
    }
}
