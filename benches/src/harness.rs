//! How everything is measured: rivals in turns, CPU time, and the median of the ratios of neighbours.
//!
//! The machine's speed changes while a benchmark runs, with its clock, its caches and its neighbours. So nothing is
//! compared with a figure of another day: A and B run in turns, each A is divided by the B beside it, and the median
//! of those ratios counts. Times are printed for people to wonder about; only ratios are held against a goal.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What a ratio should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// At least this much faster than the rival.
    AtLeast(f64),
    /// At most this many times the cost of the rival.
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        self.is_met_by(value, 1.0)
    }

    /// Whether `value` is no worse than so many times off the goal.
    fn is_met_by(self, value: f64, times: f64) -> bool {
        match self {
            Goal::AtLeast(goal) => value >= goal / times,
            Goal::AtMost(goal) => value <= goal * times,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::AtLeast(goal) => write!(f, ">= {goal}"),
            Goal::AtMost(goal) => write!(f, "<= {goal}"),
        }
    }
}

/// Where lines go. Notes are indented, so that the ratios stand out and can be searched for.
pub struct Report<W: Write> {
    out: W,
    /// Goals whose value is worse than half of what it should be.
    far: Vec<String>,
}

impl<W: Write> Report<W> {
    /// Reports to `out`.
    pub fn new(out: W) -> Self {
        Report { out, far: Vec::new() }
    }

    /// The one line of a goal.
    pub fn ratio(&mut self, name: &str, value: f64, goal: Goal) -> io::Result<()> {
        if !goal.is_met_by(value, 2.0) {
            self.far.push(name.to_owned());
        }
        let verdict = if goal.is_met(value) { "met" } else { "missed" };
        let digits = match value {
            hundreds if hundreds >= 100.0 => 0,
            small if small < 0.1 => 5,
            _ => 2,
        };
        let value = format!("{value:.digits$}");
        writeln!(self.out, "ratio {name} {value} goal {goal} {verdict}")?;
        self.out.flush()
    }

    /// The goals that came out worse than half of what they should be.
    pub fn far(&self) -> &[String] {
        &self.far
    }

    /// A line of another form.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Anything else that is worth knowing.
    pub fn note(&mut self, text: impl fmt::Display) -> io::Result<()> {
        writeln!(self.out, "    {text}")?;
        self.out.flush()
    }
}

/// The CPU time that this thread spends in `work`.
pub fn cpu_of<T>(work: impl FnOnce() -> T) -> Duration {
    let begun = thread_cpu();
    let made = std::hint::black_box(work());
    let spent = thread_cpu().saturating_sub(begun);
    drop(made);
    spent
}

fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// What two rivals took, in turns.
pub struct Turns(Vec<[Duration; 2]>);

/// Lets A and B work in turns, A first, this many times each after one round that does not count.
pub fn in_turns<E>(
    rounds: usize,
    mut a: impl FnMut() -> Result<Duration, E>,
    mut b: impl FnMut() -> Result<Duration, E>,
) -> Result<Turns, E> {
    let mut turns = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let turn = [a()?, b()?];
        if round > 0 {
            turns.push(turn);
        }
    }
    Ok(Turns(turns))
}

impl Turns {
    /// How many times A's cost B's is.
    pub fn b_over_a(&self) -> f64 {
        median(self.0.iter().map(|[a, b]| b.as_secs_f64() / a.as_secs_f64()))
    }

    /// The median times of both, each divided by the amount of work it was for.
    pub fn each(&self, amounts: [usize; 2]) -> [Duration; 2] {
        [0, 1].map(|side| {
            let nanoseconds = median(self.0.iter().map(|turn| turn[side].as_secs_f64() * 1e9));
            #[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^52")]
            Duration::from_secs_f64(nanoseconds / 1e9 / amounts[side] as f64)
        })
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_form_that_programs_search_for() {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        report.ratio("derive", 1234.5, Goal::AtLeast(1000.0)).unwrap();
        report.ratio("get", 1.501, Goal::AtMost(1.5)).unwrap();
        report.ratio("walk", f64::NAN, Goal::AtLeast(1.6)).unwrap();
        report.note("by the way").unwrap();
        assert_eq!(report.far(), ["walk"]);
        report.ratio("far", 3.001, Goal::AtMost(1.5)).unwrap();
        report.ratio("near", 0.81, Goal::AtLeast(1.6)).unwrap();
        assert_eq!(report.far(), ["walk", "far"]);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "ratio derive 1234 goal >= 1000 met",
                "ratio get 1.50 goal <= 1.5 missed",
                "ratio walk NaN goal >= 1.6 missed",
                "    by the way",
                "ratio far 3.00 goal <= 1.5 missed",
                "ratio near 0.81 goal >= 1.6 missed",
            ]
        );
    }

    #[test]
    fn the_median_of_neighbours_shrugs_off_a_slow_spell() {
        let ms = Duration::from_millis;
        // Everything takes ten times as long in the middle; one B is disturbed.
        let times = [(1, 3), (10, 30), (10, 300), (10, 30), (1, 3)];
        let turns = Turns(times.iter().map(|&(a, b)| [ms(a), ms(b)]).collect());
        assert!((turns.b_over_a() - 3.0).abs() < 1e-9);
        assert_eq!(turns.each([10, 1]), [ms(1), ms(30)]);
    }

    #[test]
    fn rivals_take_turns_and_the_first_round_does_not_count() {
        let order = std::cell::RefCell::new(String::new());
        let side = |name| {
            order.borrow_mut().push(name);
            Ok::<_, ()>(Duration::from_secs(1))
        };
        let turns = in_turns(2, || side('a'), || side('b')).unwrap();
        assert_eq!((order.borrow().as_str(), turns.0.len()), ("ababab", 2));
    }
}
