//! Writes what nodes answered to the store, without keeping it busy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

use super::{AckSink, PortError};
use crate::domain::NodeAck;

/// How many times as long as a write took it rests afterwards. A push to a thousand nodes is answered one by one, and a
/// write for each would sync the disk without a pause, on which people's changes wait. Meanwhile answers gather.
const REST: u32 = 4;
/// It never rests longer than this.
const REST_MAX: Duration = Duration::from_secs(1);

/// One write that has ended.
pub(super) struct Written {
    pub(super) acks: Vec<NodeAck>,
    pub(super) result: Result<(), PortError>,
    /// How long the store should be left alone now.
    pub(super) rest: Duration,
}

/// Writes. `None` if the sink panicked or the runtime ends.
pub(super) async fn record(sink: Arc<dyn AckSink>, acks: Vec<NodeAck>) -> Option<Written> {
    let begun = Instant::now();
    let written = spawn_blocking(move || {
        let result = sink.record(&acks);
        Written { acks, result, rest: rest_after(begun.elapsed()) }
    });
    written.await.ok()
}

fn rest_after(write: Duration) -> Duration {
    write.saturating_mul(REST).min(REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_in_proportion_and_never_for_long() {
        for (write, rest) in [(0, 0), (20, 80), (250, 1000), (60_000, 1000)] {
            assert_eq!(rest_after(Duration::from_millis(write)), Duration::from_millis(rest), "{write} ms");
        }
        assert_eq!(rest_after(Duration::MAX), REST_MAX);
    }

    struct Panics;

    impl AckSink for Panics {
        fn record(&self, _: &[NodeAck]) -> Result<(), PortError> {
            std::panic::resume_unwind(Box::new("as the test wants"))
        }
    }

    #[tokio::test]
    async fn a_sink_that_panics_is_told_from_one_that_fails() {
        assert!(record(Arc::new(Panics), Vec::new()).await.is_none());
    }
}
