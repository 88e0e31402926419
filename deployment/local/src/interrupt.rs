//! Ctrl-C and its relatives: everything is taken down in order instead of being left behind.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::LocalError;

/// Listens from its making on.
#[derive(Debug)]
pub struct Interrupt {
    signals: [Signal; 3],
}

impl Interrupt {
    /// To be made before anything is started, so that an early Ctrl-C takes down what there is by then.
    pub fn listen() -> Result<Self, LocalError> {
        let on = |kind| signal(kind).map_err(|error| LocalError::process("signals", error));
        let signals = [on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?];
        Ok(Self { signals })
    }

    /// Returns when this process is asked to end.
    pub async fn asked_to_end(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
