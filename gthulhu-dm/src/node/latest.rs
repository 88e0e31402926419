//! The rows for schedulers, and those of the last look at the processes for whoever asks soon after it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use gthulhu_http::reply::Reply;
use gthulhu_lib::wire::StrategyRow;

/// The rows for schedulers, leaders first. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Rows(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rows: Vec<StrategyRow>,
    leaders: usize,
    /// The reply made last of all rows, and of the leaders, with the second that it tells.
    replies: [Mutex<Option<(i64, Reply)>>; 2],
}

impl Rows {
    /// These rows, of which the first `leaders` are leaders.
    pub(super) fn new(rows: Vec<StrategyRow>, leaders: usize) -> Rows {
        Rows(Arc::new(Inner { rows, leaders, replies: Default::default() }))
    }

    /// One row per task.
    pub fn all(&self) -> &[StrategyRow] {
        &self.0.rows
    }

    /// One row per process.
    pub fn leaders(&self) -> &[StrategyRow] {
        &self.0.rows[..self.0.leaders]
    }

    /// The reply that `make` makes of the rows (all, or the leaders') and the time in Unix seconds. It is made once for
    /// each second in which it is asked for.
    pub fn reply(&self, all: bool, time: i64, make: impl FnOnce(&[StrategyRow], i64) -> Reply) -> Reply {
        let mut known = self.0.replies[usize::from(all)].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, reply)) = known.as_ref().filter(|(second, _)| *second == time) {
            return reply.clone();
        }
        let reply = make(if all { self.all() } else { self.leaders() }, time);
        *known = Some((time, reply.clone()));
        reply
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("rows", &self.0.rows.len()).field("leaders", &self.0.leaders).finish()
    }
}

/// The rows as they were last answered, if nothing was pushed or removed since.
#[derive(Debug)]
pub(super) struct Latest {
    fresh: Duration,
    seen: Mutex<Option<(Instant, Rows)>>,
}

impl Latest {
    pub(super) fn new(fresh: Duration) -> Latest {
        Latest { fresh, seen: Mutex::default() }
    }

    /// The rows, while they are fresh.
    pub(super) fn rows(&self) -> Option<Rows> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().filter(|(at, _)| at.elapsed() < self.fresh).map(|(_, rows)| rows.clone())
    }

    /// Notes what a look that ended `at` came to.
    pub(super) fn saw(&self, at: Instant, rows: &Rows) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, rows.clone()));
    }

    /// What was seen no longer counts.
    pub(super) fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::text("text/plain", text.to_owned())
    }

    #[test]
    fn a_reply_is_made_once_for_each_second_and_each_choice_of_rows() {
        let rows = Rows::new(vec![StrategyRow::default(), StrategyRow::default()], 1);
        let made = Mutex::new(Vec::new());
        let ask = |all, time| {
            let shown = rows.clone().reply(all, time, |rows, time| {
                made.lock().unwrap().push((rows.len(), time));
                reply(&format!("{} rows at {time}", rows.len()))
            });
            String::from_utf8(shown.body().to_vec()).unwrap()
        };
        for _ in 0..2 {
            assert_eq!(ask(true, 7), "2 rows at 7");
            assert_eq!(ask(false, 7), "1 rows at 7");
        }
        assert_eq!(ask(true, 8), "2 rows at 8");
        assert_eq!(*made.lock().unwrap(), [(2, 7), (1, 7), (2, 8)]);
    }

    #[test]
    fn what_was_seen_counts_while_it_is_fresh_and_until_it_is_forgotten() {
        let hour = Duration::from_secs(3600);
        let (now, rows) = (Instant::now(), Rows::default());
        let latest = Latest::new(hour);
        assert!(latest.rows().is_none());
        latest.saw(now, &rows);
        assert!(latest.rows().is_some());
        latest.forget();
        assert!(latest.rows().is_none());
        latest.saw(now.checked_sub(hour).unwrap(), &rows);
        assert!(latest.rows().is_none(), "too long ago");
        let never = Latest::new(Duration::ZERO);
        never.saw(now, &rows);
        assert!(never.rows().is_none());
    }
}
