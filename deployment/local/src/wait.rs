//! Waiting for something to be seen, with a deadline.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::error::LocalError;

/// What is awaited takes seconds; this is for machines with much else to do.
const WITHIN: Duration = Duration::from_secs(120);
const EVERY: Duration = Duration::from_millis(25);

/// Calls `look` until it sees what it looks for. It answers `Ok(Ok(seen))`, `Ok(Err(what it sees instead))`, or an
/// error that ends the waiting; past the deadline what it saw last is the error.
pub async fn until<T>(
    mut look: impl AsyncFnMut() -> Result<Result<T, String>, LocalError>,
) -> Result<T, LocalError> {
    let deadline = Instant::now() + WITHIN;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match look().await? {
            Ok(seen) => return Ok(seen),
            Err(instead) if Instant::now() > deadline => return Err(LocalError::NotSeen(instead)),
            Err(_) => {}
        }
    }
}
