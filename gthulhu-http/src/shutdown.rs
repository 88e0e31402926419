//! Being asked to stop: one [`Trigger`], any number of [`Shutdown`]s that wait for it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Waits for the request to stop. Clones wait for the same request.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// Asks everyone who holds the matching [`Shutdown`] to stop. Dropping it asks too: nobody else could.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// A trigger and what it triggers.
pub fn pair() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Shutdown(receiver))
}

/// Stops on SIGTERM or SIGINT. A second signal ends the process at once, with 128 plus its number.
///
/// Must be called inside a runtime. Fails when the handlers cannot be installed.
pub fn on_signals() -> io::Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (trigger, shutdown) = pair();
    tokio::spawn(async move {
        let name = next(&mut terminate, &mut interrupt).await.0;
        tracing::info!(signal = name, "stopping; a second signal stops at once");
        trigger.fire();
        let (name, code) = next(&mut terminate, &mut interrupt).await;
        tracing::warn!(signal = name, "stopped at once by a second signal");
        std::process::exit(code);
    });
    Ok(shutdown)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, i32) {
    tokio::select! {
        _ = terminate.recv() => ("SIGTERM", 128 + 15),
        _ = interrupt.recv() => ("SIGINT", 128 + 2),
    }
}

impl Shutdown {
    /// Returns when stopping was asked for; at once if it already was.
    pub async fn requested(&self) {
        // An error means that the trigger is gone, which counts as asking.
        let _ = self.0.clone().wait_for(|asked| *asked).await;
    }
}

impl Shutdown {
    /// Whether stopping was asked for: a look, for those who are woken by [`requested`](Shutdown::requested) among
    /// other things.
    pub(crate) fn is_requested(&self) -> bool {
        // Nothing but the request ever changes the value; with the trigger gone the answer is an error.
        self.0.has_changed().unwrap_or(true)
    }
}

impl Trigger {
    /// Asks to stop. Asking twice is asking once.
    pub fn fire(&self) {
        self.0.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_hears_the_trigger_even_afterwards() {
        let (trigger, shutdown) = pair();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.requested().await }
        });
        assert!(!shutdown.is_requested());
        trigger.fire();
        trigger.fire();
        assert!(shutdown.is_requested() && shutdown.clone().is_requested());
        waiting.await.unwrap();
        shutdown.requested().await;
    }

    #[tokio::test]
    async fn a_lost_trigger_counts_as_asking() {
        let (trigger, shutdown) = pair();
        drop(trigger);
        assert!(shutdown.is_requested());
        shutdown.requested().await;
    }
}
