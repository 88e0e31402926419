//! A store that fails, which the real one will not do on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gthulhu_manager::store::{Batch, CommitError, Committed, Snapshot, Store, StoreError};
use serde_json::json;

use crate::people::ALICE;
use crate::rig::{Rig, golden};

/// The real store, until it is told to fail.
struct Failing {
    store: Arc<dyn Store>,
    failed: Arc<AtomicBool>,
}

impl Failing {
    fn ask(&self) -> Result<&dyn Store, StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Failed("the disk is gone".into()));
        }
        Ok(&*self.store)
    }
}

impl Store for Failing {
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.ask()?.snapshot()
    }

    fn commit(&self, batch: &Batch) -> Result<Committed, CommitError> {
        self.ask()?.commit(batch)
    }

    fn audit_before(&self, before: u64, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.ask()?.audit_before(before, limit)
    }

    fn audit(&self, after: u64, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.ask()?.audit(after, limit)
    }
}

#[tokio::test]
async fn a_store_that_fails_refuses_changes_and_is_seen_in_readiness() {
    let failed = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&failed);
    let rig = Rig::start_with(|store| Arc::new(Failing { store, failed: switch }));
    let alice = rig.user(ALICE);
    failed.store(true, Ordering::Release);
    let strategy = json!({"priority": 3});
    golden("store-failed", &alice.post("/api/v1/strategies", &strategy).await);
    golden("readyz-store-failed", &alice.get("/readyz?verbose").await);
    golden("strategies-none", &alice.get("/api/v1/strategies/self").await);
}
