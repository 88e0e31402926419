//! How the kernel side sees a task.

use gthulhu_lib::wire::feed::TaskInKernel;

/// What is asked of one thread's record.
pub(crate) trait Seen {
    /// Whether it has a strategy now.
    fn is_governed(&self) -> bool;

    /// Whether it is decided that it has none. While a verdict is awaited it is not.
    fn is_left_alone(&self) -> bool;

    /// How often it was put into a queue without a strategy.
    fn enqueues_normal(&self) -> u64;

    /// Whether it has one and was never in a queue without.
    fn was_always_governed(&self) -> bool;
}

impl Seen for TaskInKernel {
    fn is_governed(&self) -> bool {
        matches!(self.source.as_str(), "cgroup" | "verdict" | "pid")
    }

    fn is_left_alone(&self) -> bool {
        matches!(self.source.as_str(), "none" | "refused")
    }

    fn enqueues_normal(&self) -> u64 {
        self.enqueues - self.enqueues_governed
    }

    fn was_always_governed(&self) -> bool {
        self.is_governed() && self.enqueues_governed > 0 && self.enqueues_normal() == 0
    }
}
