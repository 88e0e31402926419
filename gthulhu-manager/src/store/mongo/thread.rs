//! A runtime of the store's own, with one thread. The store is called from threads that may block and, at the start,
//! from one that may not enter a runtime again; waiting on a channel works on both. The driver's blocking interface
//! does not: it enters a runtime on the caller's thread.

use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use super::trouble::Trouble;

/// The thread; dropping it abandons what still runs there.
pub(super) struct Thread(Option<Runtime>);

impl Thread {
    pub(super) fn start() -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("mongodb").enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    /// Starts something that nobody waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        self.0.as_ref().map(|runtime| runtime.spawn(task).abort_handle())
    }

    /// Runs something there and waits for it.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> Result<T, Trouble> {
        self.wait_at_most(Duration::MAX, task)
            .unwrap_or_else(|| Err(Trouble::Passing("the operation ended without an answer".into())))
    }

    /// The same, for so long.
    pub(super) fn wait_at_most<T: Send + 'static>(
        &self,
        limit: Duration,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (done, end) = mpsc::sync_channel(1);
        self.0.as_ref()?.spawn(async move {
            // Nobody listens any more if the caller's time was up.
            let _ = done.send(task.await);
        });
        if limit == Duration::MAX { end.recv().ok() } else { end.recv_timeout(limit).ok() }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // The usual way of dropping one waits, which not every thread may.
            runtime.shutdown_background();
        }
    }
}
