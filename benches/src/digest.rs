//! Goal `digest`: the merkle root of a large set of intents, against the way it is usually written: strings joined for
//! each leaf, hashes kept as hexadecimal text.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Write;

use gthulhu_lib::intent::digest::hex;
use gthulhu_lib::intent::{Limits, set::IntentSet};
use gthulhu_lib::wire::IntentBody;
use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::fixtures;
use crate::harness::{Goal, Report, cpu_of, in_turns};

/// Measures and reports.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let set = IntentSet::check(fixtures::intents(), &Limits::default())?;
    let bodies = set.to_wire();
    let (ours, theirs) = (hex(&set.merkle_root()), naive_root(&bodies));
    if ours != theirs {
        return Err(format!("the roots differ: {ours} and {theirs}").into());
    }
    let turns = in_turns::<Infallible>(
        9,
        || Ok(cpu_of(|| set.merkle_root())),
        || Ok(cpu_of(|| naive_root(&bodies))),
    )?;
    report.ratio("digest", turns.b_over_a(), Goal::AtLeast(4.0))?;
    let [ours, theirs] = turns.each([1, 1]);
    let own = cpu_of(|| set.digest());
    report.note(format_args!(
        "{} intents, leaves and tree: {ours:.1?}, naive {theirs:.1?}; our own digest {own:.1?}",
        set.len()
    ))?;
    Ok(())
}

fn naive_root(intents: &[IntentBody]) -> String {
    let mut level: Vec<String> = intents.iter().map(naive_leaf).collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| {
                let (left, right) = (from_hex(&pair[0]), from_hex(&pair[pair.len() - 1]));
                to_hex(&Sha256::digest([left, right].concat()))
            })
            .collect();
    }
    level.pop().unwrap_or_default()
}

fn naive_leaf(intent: &IntentBody) -> String {
    let mut labels: Vec<String> =
        intent.pod_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    labels.sort();
    let parts = [
        format!("podName={}", intent.pod_name),
        format!("podID={}", intent.pod_id),
        format!("nodeID={}", intent.node_id),
        format!("k8sNamespace={}", intent.k8s_namespace),
        format!("commandRegex={}", intent.command_regex),
        format!("priority={}", intent.priority),
        format!("executionTime={}", intent.execution_time),
        format!("podLabels={}", labels.join(",")),
    ];
    to_hex(&Sha256::digest(parts.join("|")))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).filter_map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
