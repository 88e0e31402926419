//! Goal `memo`: which of a thousand command regexes match each of a node's processes, once the answers for each command
//! name are known, against asking each regex about each process.

use std::convert::Infallible;
use std::io::Write;

use gthulhu_lib::matcher::{CommandRegex, Matchers};
use gthulhu_lib::process::Comm;

use crate::Outcome;
use crate::fixtures::{Numbers, command_names};
use crate::harness::{Goal, Report, cpu_of, in_turns};

const PATTERNS: u32 = 1_000;
const PROCESSES: u32 = 20_000;
const NAMES: u32 = 400;

/// Measures and reports.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let names = command_names(NAMES);
    let mut numbers = Numbers::new(4);
    let processes: Vec<Comm> =
        (0..PROCESSES).map(|_| Comm::new(names[numbers.below(NAMES) as usize].as_bytes())).collect();
    let mut regexes = Vec::new();
    let mut matchers = Matchers::default();
    for number in 0..PATTERNS {
        let regex = CommandRegex::compile(&pattern(&names, number))?;
        matchers.add(regex.clone());
        regexes.push(regex);
    }

    let each_pair = || -> usize {
        processes.iter().map(|comm| regexes.iter().filter(|regex| regex.is_match(comm)).count()).sum()
    };
    let cold = cpu_of(|| remembered(&mut matchers, &processes));
    let (one, other) = (remembered(&mut matchers, &processes), each_pair());
    if one != other {
        return Err(format!("the memo finds {one} matches, the pairs {other}").into());
    }
    // The memo is too quick for one pass to be told from the clock's own cost.
    let passes = 20;
    let turns = in_turns::<Infallible>(
        7,
        || Ok(cpu_of(|| (0..passes).map(|_| remembered(&mut matchers, &processes)).sum::<usize>()) / passes),
        || Ok(cpu_of(each_pair)),
    )?;
    report.ratio("memo", turns.b_over_a(), Goal::AtLeast(1000.0))?;
    let [warm, pairs] = turns.each([1, 1]);
    report.note(format_args!(
        "{PATTERNS} regexes x {PROCESSES} processes of {NAMES} names, {one} matches: warm {warm:.0?}, cold {cold:.1?}, \
         each pair {pairs:.0?}"
    ))?;
    Ok(())
}

fn remembered(matchers: &mut Matchers, processes: &[Comm]) -> usize {
    processes.iter().map(|comm| matchers.of(comm).numbers().len()).sum()
}

/// The kinds of regexes that users write: a name, its beginning, one of two, any number.
fn pattern(names: &[String], number: u32) -> String {
    let name = |step: u32| &names[((number * step + step) % NAMES) as usize];
    match number % 4 {
        0 => format!("^{}$", name(1)),
        1 => format!("^{}", &name(7)[..4]),
        2 => format!("{}|{}", name(11), name(13)),
        _ => format!("{}[0-9]*$", name(17)),
    }
}
