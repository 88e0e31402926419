//! A pod with the latency probe, and its neighbours: pods of the same weight that compute all the time.

use std::time::Instant;

use super::load::{self, Load};
use super::rows::Row;
use crate::error::LocalError;
use crate::pods::Pod;
use crate::pods::weights::{self, Weights};
use crate::stack::Stack;
use crate::workloads;

/// The label `app` of the probe's pod.
pub(super) const PROBE: &str = "upf";
const NEIGHBOURS: usize = 4;
/// Of each row: 1250 wake-ups.
const SECONDS: u32 = 5;

/// The pods. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Scene {
    // Ended in this order.
    _hogs: Vec<Load>,
    neighbours: Vec<Pod>,
    _weights: Weights,
    probe: Pod,
    cpus: usize,
}

impl Scene {
    /// Starts all pods. Each neighbour has a thread for each of `cpus`.
    pub(super) fn set(stack: &Stack, cpus: usize) -> Result<Self, LocalError> {
        let probe = stack.pod(workloads::single("probe-0", PROBE))?;
        let weights = Weights::on(stack.base())?;
        let name = |number| format!("neighbour-{number}");
        let neighbours = (0..NEIGHBOURS).map(|number| stack.pod(workloads::single(&name(number), "batch")));
        let neighbours = neighbours.collect::<Result<Vec<_>, _>>()?;
        let hogs = neighbours.iter().map(|pod| Load::hog(pod.container(), cpus)).collect::<Result<_, _>>()?;
        Ok(Self { _hogs: hogs, neighbours, _weights: weights, probe, cpus })
    }

    /// How many pods there are.
    pub(super) fn pods(&self) -> usize {
        self.neighbours.len() + 1
    }

    /// The weight that all pods have.
    pub(super) fn weight(&self) -> Result<u32, LocalError> {
        let weight = weights::weight(self.probe.cgroup())?;
        for pod in &self.neighbours {
            let other = weights::weight(pod.cgroup())?;
            if other != weight {
                let name = &pod.spec().name;
                return Err(LocalError::NotSeen(format!(
                    "pods of one weight, but {weight} and {other} of {name}"
                )));
            }
        }
        Ok(weight)
    }

    /// A thread in the probe's pod that wakes up every millisecond until it is dropped.
    pub(super) fn pulse(&self) -> Result<Load, LocalError> {
        Load::pulse(self.probe.container())
    }

    /// Measures one row.
    pub(super) async fn measure(&self) -> Result<Row, LocalError> {
        let (used, begun) = (self.used_us()?, Instant::now());
        let wake = load::wake(self.probe.container(), SECONDS).await?;
        let (used, elapsed) = (self.used_us()? - used, begun.elapsed());
        Ok(Row { wake, neighbours: share(used, elapsed.as_micros(), self.cpus), from_post_ns: None })
    }

    /// CPU time of all neighbours.
    fn used_us(&self) -> Result<u64, LocalError> {
        self.neighbours.iter().map(|pod| weights::used_us(pod.cgroup())).sum()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people, of three digits")]
fn share(used_us: u64, elapsed_us: u128, cpus: usize) -> f64 {
    used_us as f64 / (elapsed_us.max(1) as f64 * cpus as f64)
}
