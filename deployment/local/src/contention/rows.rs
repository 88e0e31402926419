//! The table of the contention, and the judgement on it.

use gthulhu_probe::samples::Summary;

use super::machine::Clock;
use crate::output::figures;

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// How late the probe was woken.
    pub wake: Summary,
    /// The share of all CPUs' time that the neighbours had, 0 to 1.
    pub neighbours: f64,
    /// From the POST of the strategy to the first enqueue under it.
    pub from_post_ns: Option<u64>,
}

/// All measurements, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Under the kernel's own scheduler.
    pub eevdf: Row,
    /// Under ours, without a strategy.
    pub ungoverned: Row,
    /// With a strategy for the probe's pod.
    pub governed: Row,
    /// After the strategy's removal.
    pub removed: Row,
}

impl Rows {
    /// The table.
    pub fn table(&self) -> String {
        let heads = [
            "wake-up latency, us",
            "p50",
            "p99",
            "p99.9",
            "CPU left to neighbours",
            "POST to 1st governed enqueue",
        ];
        let rows = [
            cells("EEVDF, the kernel's own", &self.eevdf),
            cells("gthulhu-scx, no strategy", &self.ungoverned),
            cells("gthulhu-scx, priority 3, slice 5 ms", &self.governed),
            cells("gthulhu-scx, strategy deleted", &self.removed),
        ];
        figures(heads, &rows)
    }

    /// Whether the strategy did what it is for, in one sentence. With a clock that other load on the machine can
    /// disturb, the row of another scheduler, measured at another moment, is no evidence and only told.
    pub fn judge(&self, clock: Clock) -> Result<String, String> {
        let governed = self.governed.wake.p99_us;
        let [ungoverned, eevdf] = [&self.ungoverned, &self.eevdf].map(|row| row.wake.p99_us);
        let figures = format!(
            "p99 with the strategy {governed:.1} us, without {ungoverned:.1} us ({}), EEVDF {eevdf:.1} us ({})",
            times(ungoverned, governed),
            times(eevdf, governed),
        );
        if governed >= ungoverned {
            Err(format!("the strategy did not help: {figures}"))
        } else if clock == Clock::Instructions && governed >= eevdf {
            Err(format!("the strategy is no better than EEVDF: {figures}"))
        } else {
            Ok(figures)
        }
    }
}

/// Nanoseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a figure for people, of a few digits")]
pub(super) fn milliseconds(nanoseconds: u64) -> String {
    format!("{:.1} ms", nanoseconds as f64 / 1e6)
}

fn cells(name: &str, row: &Row) -> [String; 6] {
    let us = |figure: f64| format!("{figure:.1}");
    let share = format!("{:.1} %", row.neighbours * 100.0);
    let wake = &row.wake;
    let posted = row.from_post_ns.map_or_else(|| "-".to_owned(), milliseconds);
    [name.to_owned(), us(wake.p50_us), us(wake.p99_us), us(wake.p99_9_us), share, posted]
}

fn times(slow: f64, fast: f64) -> String {
    let ratio = slow / fast;
    if ratio.is_finite() { format!("{ratio:.1} times that") } else { "no ratio".to_owned() }
}

#[cfg(test)]
mod tests;
