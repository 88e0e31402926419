//! The counters by name: what the kernel side counts for each CPU, summed.

use serde::{Deserialize, Serialize};

/// Declares [`Counters`] from one list, in the order of `enum gth_counter` in `bpf/intf.h`.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters since the scheduler was loaded, and gauges of now. Counters never go back.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
            /// Gauge: tasks in our queues.
            pub queued: u64,
            /// Gauge: CPUs that run a task.
            pub running: u64,
            /// Gauge: CPUs online.
            pub online_cpus: u64,
            /// Gauge: threads whose last lookup gave a strategy.
            pub governed_tasks: u64,
            /// How long tasks with a strategy waited for a CPU.
            pub governed_waits: Waits,
            /// How long all others waited.
            pub normal_waits: Waits,
        }

        impl Counters {
            /// The names of what only grows, in the kernel side's order.
            pub const NAMES: &[&str] = &[$(stringify!($name),)*];

            /// What only grows, by name.
            pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }

            /// Puts the sum of one counter in its place; numbers this version does not know are ignored.
            pub(crate) fn set(&mut self, index: usize, value: u64) {
                let mut places = [$(&mut self.$name,)*];
                if let Some(place) = places.get_mut(index) {
                    **place = value;
                }
            }
        }
    };
}

counters! {
    /// Inserts governed by a strategy.
    user_dispatches,
    /// Inserts by the default policy.
    kernel_dispatches,
    /// Inserts that were taken back: the task was changed, moved or ended while it waited in a queue.
    cancel_dispatches,
    /// Tasks queued anew because a stronger class of the kernel took their CPU.
    bounce_dispatches,
    /// Lookups of a task's or a CPU's state, or inserts, that failed.
    failed_dispatches,
    /// Events that found the ring full.
    events_lost,
    /// Preemptions on wake-up by the latency class.
    preemptions,
    /// Preemptions on wake-up by the graded class.
    graded_preemptions,
    /// Preemptions on wake-up of the default class, by lag.
    lag_preemptions,
    /// Turns that a CPU's timer ended: for a task that woke up earlier, or with a slice below the tick.
    timer_cuts,
    /// Preemptions refused because the task had used its wake budget.
    budget_refusals,
    /// Preemptions refused, or turns given away, because normal tasks had waited for their share of the CPU.
    floor_refusals,
    /// Queues served first because their head had waited for more than a second.
    stall_rescues,
    /// Strategies looked up anew.
    lookups,
    /// Names for which user space was asked.
    verdicts_asked,
    /// Rules for a process that met a later one of the same number.
    stale_pid_rules,
    /// Values outside the scale, brought into it.
    values_clamped,
    /// Times a task waited because its cgroup had used its `cpu.max`.
    throttled,
}

/// A histogram of waits: bucket 0 counts those below 1 us, bucket n those from 2^(n-1) us to 2^n us; the last
/// takes all that are longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Waits {
    /// Number of waits in each bucket.
    pub buckets: [u64; Waits::BUCKETS],
}

impl Waits {
    /// Number of buckets.
    pub const BUCKETS: usize = 32;

    /// All waits counted.
    pub fn total(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The upper bound of bucket `index`, in microseconds.
    pub fn bound_us(index: usize) -> u64 {
        1 << index.min(Self::BUCKETS)
    }

    /// The upper bound in microseconds of the bucket that holds the given share (in thousandths) of the waits;
    /// `None` while there are none.
    pub fn permille_us(&self, permille: u64) -> Option<u64> {
        let total = u128::from(self.total());
        let mut seen = 0_u128;
        self.buckets.iter().enumerate().find_map(|(index, &count)| {
            seen += u128::from(count);
            (count > 0 && seen * 1000 >= total * u128::from(permille)).then(|| Self::bound_us(index))
        })
    }
}

/// Counters of a cgroup that has a rule, since the rule was first put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CgroupCounters {
    /// Enqueues with the strategy.
    pub enqueues_governed: u64,
    /// Enqueues while a verdict was awaited. Stays 0 where every task was governed from its first one on.
    pub enqueues_normal: u64,
    /// Enqueues of processes that the rule does not mean.
    pub enqueues_refused: u64,
    /// When the first enqueue with the strategy was, in monotonic nanoseconds; 0 = not yet.
    pub first_governed_ns: u64,
    /// Time on CPUs of all tasks below the rule, in nanoseconds.
    pub run_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_kernel_side_in_its_order() {
        let header = include_str!("../bpf/intf.h");
        let list =
            header.split("enum gth_counter {").nth(1).unwrap().split("GTH_NR_COUNTERS").next().unwrap();
        let names: Vec<String> = list
            .split(',')
            .filter_map(|name| name.trim().strip_prefix("GTH_"))
            .map(str::to_ascii_lowercase)
            .collect();
        assert_eq!(names, Counters::NAMES);
    }

    #[test]
    fn a_sum_lands_under_its_name() {
        let mut counters = Counters::default();
        for index in 0..=Counters::NAMES.len() {
            counters.set(index, 100 + index as u64);
        }
        let expected = Counters::NAMES.iter().copied().zip(100..);
        assert!(counters.rows().eq(expected), "{counters:?}");
    }

    #[test]
    fn quantiles_are_the_upper_bounds_of_their_buckets() {
        let mut waits = Waits::default();
        assert_eq!(waits.permille_us(500), None);
        waits.buckets[0] = 98;
        waits.buckets[5] = 1;
        waits.buckets[12] = 1;
        assert_eq!(waits.permille_us(0), Some(1));
        assert_eq!(waits.permille_us(980), Some(1));
        assert_eq!(waits.permille_us(990), Some(32));
        assert_eq!(waits.permille_us(1000), Some(4096));
    }
}
