//! Goal `derive`: all strategies over all pods, with the catalogue of pods kept as the manager keeps it, against nested
//! loops over labels in hash maps.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use gthulhu_lib::derive::{Catalogue, Pod, StrategySpec, derive};
use gthulhu_lib::id::Id;

use crate::Outcome;
use crate::fixtures::{self, Numbers};
use crate::harness::{Goal, Report, cpu_of, in_turns};

/// Every n-th strategy is given to the loops: all of them would take minutes.
const SAMPLE: usize = 50;

/// Measures and reports.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let (pods, strategies) = (fixtures::pods(fixtures::PODS), fixtures::strategies());
    let none: HashSet<Id> = HashSet::new();
    let mut catalogue = Catalogue::new(&pods);
    let derived = catalogue.derive(&strategies, &none);

    let labels: Vec<HashMap<String, String>> = pods.iter().map(|pod| as_map(pod)).collect();
    let sample: Vec<Arc<StrategySpec>> = strategies.iter().step_by(SAMPLE).cloned().collect();
    let found = loops(&sample, &labels);
    let expected = catalogue.derive(&sample, &none).intents.len();
    if found.len() != expected {
        return Err(format!("the loops find {} matches, the catalogue {expected}", found.len()).into());
    }

    let turns = in_turns::<std::convert::Infallible>(
        7,
        || Ok(cpu_of(|| catalogue.derive(&strategies, &none))),
        || Ok(cpu_of(|| loops(&sample, &labels))),
    )?;
    let scale = strategies.len() / sample.len();
    #[expect(clippy::cast_precision_loss, reason = "a scale of some tens")]
    let value = turns.b_over_a() * scale as f64;
    report.ratio("derive", value, Goal::AtLeast(1000.0))?;
    let [ours, theirs] = turns.each([1, 1]);
    report.note(format_args!(
        "{} strategies x {} pods, {} intents: {ours:.2?} with the catalogue kept; nested loops {theirs:.0?} for {} \
         strategies, extrapolated x{scale} to {:.1?}",
        strategies.len(),
        pods.len(),
        derived.intents.len(),
        sample.len(),
        theirs * u32::try_from(scale)?,
    ))?;
    report_rest(report, &strategies, &pods, &mut catalogue, theirs * u32::try_from(scale)?)
}

/// What the ratio leaves out: making the catalogue, and keeping it up to date.
fn report_rest(
    report: &mut Report<impl Write>,
    strategies: &[Arc<StrategySpec>],
    pods: &[Arc<Pod>],
    catalogue: &mut Catalogue,
    theirs: Duration,
) -> Outcome<()> {
    let none: HashSet<Id> = HashSet::new();
    let mut cold: Vec<Duration> = (0..3).map(|_| cpu_of(|| derive(strategies, pods, &none))).collect();
    cold.sort_unstable();
    let times = theirs.as_secs_f64() / cold[1].as_secs_f64();
    report
        .note(format_args!("cold, with the catalogue made anew: {:.1?} ({times:.0} x the loops)", cold[1]))?;

    let same = cpu_of(|| catalogue.set(pods));
    let mut numbers = Numbers::new(3);
    let changed: Vec<Arc<Pod>> = (0..10_000)
        .map(|_| {
            let mut pod = (*pods[numbers.below(fixtures::PODS) as usize]).clone();
            pod.labels.insert("tier".to_owned(), format!("tier-{}", numbers.below(4)));
            Arc::new(pod)
        })
        .collect();
    let each = cpu_of(|| changed.iter().for_each(|pod| catalogue.put(pod))) / 10_000;
    report
        .note(format_args!("the same list of pods again {same:.2?}, one pod with a new label {each:.0?}"))?;
    Ok(())
}

fn as_map(pod: &Pod) -> HashMap<String, String> {
    pod.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Every strategy against every pod, label by label.
fn loops(strategies: &[Arc<StrategySpec>], pods: &[HashMap<String, String>]) -> Vec<(Id, usize)> {
    let mut found = Vec::new();
    for strategy in strategies {
        for (number, labels) in pods.iter().enumerate() {
            let matches = strategy.selectors.iter().all(|selector| {
                labels
                    .get(&selector.key)
                    .is_some_and(|value| selector.value.is_empty() || *value == selector.value)
            });
            if matches {
                found.push((strategy.id, number));
            }
        }
    }
    found
}
