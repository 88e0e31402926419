//! The state in memory, and the only way to change it.
//!
//! One writer at a time computes a batch from the newest state, commits it, and then publishes the state that
//! follows. Readers take the published state and never wait. What is published is always durable; a change that was
//! refused or failed was never visible.
//!
//! A store that fails for good ends the process. One that is only away is waited for: until [`World::recover`] has read
//! it again, changes are refused at once, and what was published stays.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::ServiceError;
use super::state::State;
use crate::domain::NodeAck;
use crate::store::{AuditRecord, Batch, Bookkeeping, CommitError, Committed, Store, StoreError};

/// Epochs travel in JSON, whose numbers are exact up to here.
const EPOCH_MAX: u64 = (1 << 53) - 1;
/// How often a change is computed anew when another process changed what it was computed from.
const ATTEMPTS: usize = 3;

pub(super) struct World {
    store: Arc<dyn Store>,
    state: ArcSwap<State>,
    writer: Mutex<()>,
    changed: watch::Sender<u64>,
    failure: OnceLock<StoreError>,
    /// Why the store cannot be used at the moment, if it cannot.
    trouble: watch::Sender<Option<StoreError>>,
}

/// What a change comes to: the batch, if there is anything to do, and the answer for the caller.
pub(super) type Change<T> = (Option<Batch>, T);

impl World {
    pub(super) fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let state = State::from_snapshot(store.snapshot()?);
        Ok(Self {
            store,
            state: ArcSwap::from_pointee(state),
            writer: Mutex::new(()),
            changed: watch::Sender::new(0),
            failure: OnceLock::new(),
            trouble: watch::Sender::new(None),
        })
    }

    /// The newest state.
    pub(super) fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn failure(&self) -> Option<&StoreError> {
        self.failure.get()
    }

    /// Why the store cannot be used at the moment, to be watched.
    pub(super) fn trouble(&self) -> watch::Receiver<Option<StoreError>> {
        self.trouble.subscribe()
    }

    /// Reads the store again after it was away. What became of a commit without an answer shows now.
    pub(super) fn recover(&self) -> Result<(), StoreError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match self.store.snapshot() {
            Ok(snapshot) => {
                self.publish(State::from_snapshot(snapshot));
                self.trouble.send_replace(None);
                Ok(())
            }
            Err(error) => {
                self.failed(error.clone());
                Err(error)
            }
        }
    }

    /// Refuses what would only wait in vain.
    fn usable(&self) -> Result<(), ServiceError> {
        match &*self.trouble.borrow() {
            Some(trouble) => Err(trouble.clone().into()),
            None => Ok(()),
        }
    }

    /// Makes one change. `change` may run several times, each time on a newer state, and must only compute.
    pub(super) fn mutate<T>(
        &self,
        change: impl Fn(&State) -> Result<Change<T>, ServiceError>,
    ) -> Result<T, ServiceError> {
        // Asked before the lock, too: whoever reads the store again after it was away holds that for long.
        self.usable()?;
        // A panic while computing left nothing half done: the state is replaced only after a commit.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.usable()?;
        for _ in 0..ATTEMPTS {
            let state = self.state();
            let (batch, answer) = change(&state)?;
            let Some(batch) = batch else { return Ok(answer) };
            match self.store.commit(&batch) {
                Ok(committed) => {
                    self.publish(state.after(&batch, committed));
                    return Ok(answer);
                }
                Err(CommitError::Conflict { .. }) => {
                    let snapshot = self.store.snapshot().map_err(|error| self.failed(error))?;
                    self.publish(State::from_snapshot(snapshot));
                }
                Err(CommitError::Store(error)) => return Err(self.failed(error)),
            }
        }
        Err(ServiceError::Contended)
    }

    /// Computes a change as [`World::mutate`] does, and the state that would follow from it. Nothing is written, and
    /// nobody else sees that state.
    pub(super) fn rehearse<T>(
        &self,
        change: impl FnOnce(&State) -> Result<Change<T>, ServiceError>,
    ) -> Result<(State, T), ServiceError> {
        let state = self.state();
        let (batch, answer) = change(&state)?;
        // Versions are for commits to come, and none comes after this state.
        let after =
            batch.map_or_else(|| (*state).clone(), |batch| state.after(&batch, Committed { version: 0 }));
        Ok((after, answer))
    }

    /// The store, for what changes nothing.
    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Up to `limit` audit records below the number `before`, newest first.
    pub(super) fn audit_before(&self, before: u64, limit: usize) -> Result<Vec<AuditRecord>, ServiceError> {
        self.usable()?;
        let stored = self.store.audit_before(before, limit).map_err(|error| self.failed(error))?;
        let damaged = |error: serde_json::Error| StoreError::Damaged {
            object: "an audit record".into(),
            reason: error.to_string(),
        };
        stored
            .iter()
            .map(|bytes| serde_json::from_slice(bytes).map_err(|error| damaged(error).into()))
            .collect()
    }

    /// Hands out the next epoch above `above` and above all that were handed out.
    pub(super) fn next_epoch(&self, above: u64) -> Result<u64, ServiceError> {
        self.mutate(|state| {
            let (version, last) = state.epoch.as_ref().map_or((0, 0), |epoch| (epoch.version, epoch.value));
            let next = last.max(above).saturating_add(1);
            if next > EPOCH_MAX {
                return Err(ServiceError::NoMoreEpochs);
            }
            Ok((Some(Bookkeeping::new().epoch(version, next).into()), next))
        })
    }

    /// Stores the answers of nodes; of several from one node, the last.
    pub(super) fn record_acks(&self, acks: &[NodeAck]) -> Result<(), ServiceError> {
        self.mutate(|state| {
            let latest: std::collections::BTreeMap<_, _> = acks.iter().map(|ack| (&ack.node, ack)).collect();
            let batch = latest.iter().fold(Bookkeeping::new(), |batch, (node, ack)| {
                let version = state.acks.get(*node).map_or(0, |stored| stored.version);
                batch.ack(version, (*ack).clone())
            });
            Ok(((!latest.is_empty()).then(|| batch.into()), ()))
        })
    }

    fn publish(&self, state: State) {
        let state = Arc::new(state);
        let before = self.state.swap(Arc::clone(&state));
        // Every answer of a node is stored. Computing all intents anew for each would come to the same each time.
        if !state.asks_the_same_as(&before) {
            self.changed.send_modify(|revision| *revision += 1);
        }
    }

    /// Remembers the failure, for good or until it has passed, and wakes whoever watches.
    fn failed(&self, error: StoreError) -> ServiceError {
        match &error {
            StoreError::Refused(_) => {}
            StoreError::Unavailable(_) => {
                self.trouble.send_if_modified(|trouble| trouble.replace(error.clone()).is_none());
            }
            _ => {
                if self.failure.set(error.clone()).is_ok() {
                    self.changed.send_modify(|revision| *revision += 1);
                }
            }
        }
        error.into()
    }
}

#[cfg(test)]
mod tests;
