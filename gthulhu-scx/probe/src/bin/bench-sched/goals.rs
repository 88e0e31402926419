//! Goals, one line each.

use std::io::{self, Write};

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

impl Goal {
    fn parts(self) -> (&'static str, f64) {
        match self {
            Goal::AtLeast(bound) => (">=", bound),
            Goal::AtMost(bound) => ("<=", bound),
            Goal::Below(bound) => ("<", bound),
        }
    }

    fn is_met_by(self, value: f64) -> bool {
        match self {
            Goal::AtLeast(bound) => value >= bound,
            Goal::AtMost(bound) => value <= bound,
            Goal::Below(bound) => value < bound,
        }
    }
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every goal was met.
    Met,
    /// One was not.
    Missed,
}

/// What was judged until now.
#[derive(Debug, Default)]
pub(crate) struct Goals {
    missed: usize,
}

impl Goals {
    /// Holds a value against its goal and prints the line.
    pub(crate) fn judge(
        &mut self,
        name: &str,
        value: f64,
        goal: Goal,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let (sign, bound) = goal.parts();
        let met = goal.is_met_by(value);
        self.missed += usize::from(!met);
        writeln!(out, "ratio {name} {value:.2} goal {sign} {bound} {}", if met { "met" } else { "missed" })
    }

    /// Prints a value that has no goal.
    pub(crate) fn tell(name: &str, value: f64, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "  {name} {value:.3}")
    }

    /// Whether every goal was met.
    pub(crate) fn verdict(&self) -> Verdict {
        if self.missed == 0 { Verdict::Met } else { Verdict::Missed }
    }
}
