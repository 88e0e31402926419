//! What the programs that measure goals share: which are asked for, and what becomes of one that cannot be measured.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::Outcome;
use crate::harness::Report;

/// What measures a goal, or some that belong together, and reports it.
pub type Measure<W> = fn(&mut Report<W>) -> Outcome<()>;

/// Why it was no success; what there is to say was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amiss {
    /// There is no goal with a name that was asked for. Nothing was measured.
    Unknown,
    /// Something could not be measured.
    Absent,
}

/// Measures all goals, or those that are `wanted`, in their order. `program` is who speaks.
pub fn run<W: Write>(
    program: &str,
    goals: &[(&str, Measure<W>)],
    wanted: &[String],
    report: &mut Report<W>,
) -> Result<(), Amiss> {
    // With standard error gone there is nobody left to tell, but the exit code.
    let say = |what: &str| drop(writeln!(io::stderr(), "{program}: {what}"));
    if let Some(unknown) = wanted.iter().find(|name| goals.iter().all(|(goal, _)| goal != name)) {
        say(&format!("there is no goal named {unknown}"));
        return Err(Amiss::Unknown);
    }
    let mut outcome = Ok(());
    for (name, measure) in goals {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        if let Err(error) = measure(report) {
            say(&format!("{name} could not be measured: {error}"));
            outcome = Err(Amiss::Absent);
        }
    }
    outcome
}

/// How a program ends for which a goal that is worse than half of what it should be is an error.
pub fn finish<W: Write>(program: &str, measured: Result<(), Amiss>, report: &Report<W>) -> ExitCode {
    let far = report.far();
    if !far.is_empty() {
        // With standard error gone there is nobody left to tell, but the exit code.
        let _ = writeln!(io::stderr(), "{program}: worse than half the goal: {}", far.join(", "));
    }
    match measured {
        Ok(()) if far.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(amiss) => amiss.into(),
    }
}

impl From<Amiss> for ExitCode {
    fn from(amiss: Amiss) -> Self {
        match amiss {
            Amiss::Unknown => Self::from(64),
            Amiss::Absent => Self::FAILURE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_measured_and_what_fails_holds_up_nothing() {
        for (wanted, outcome, shown) in [
            (&[][..], Err(Amiss::Absent), "one\nthree\n"),
            (&["last", "first"], Ok(()), "one\nthree\n"),
            (&["last"], Ok(()), "three\n"),
            (&["last", "none"], Err(Amiss::Unknown), ""),
        ] {
            let goals: [(&str, Measure<&mut Vec<u8>>); 3] = [
                ("first", |report| Ok(report.line("one")?)),
                ("broken", |_| Err("no such thing".into())),
                ("last", |report| Ok(report.line("three")?)),
            ];
            let wanted: Vec<String> = wanted.iter().map(|&name: &&str| name.to_owned()).collect();
            let mut out = Vec::new();
            assert_eq!(run("test", &goals, &wanted, &mut Report::new(&mut out)), outcome, "{wanted:?}");
            assert_eq!(String::from_utf8_lossy(&out), shown, "{wanted:?}");
        }
    }
}
