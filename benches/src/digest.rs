//! Goal `digest`: the merkle root of a large set of intents, against the way it is usually written: strings joined for
//! each leaf, hashes kept as hexadecimal text. Goal `digest-share`: our own digest, against what a node does anyway with a
//! set that is pushed to it. A set travels whole, so that is the most that a digest which costs what changed could save.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Write;

use gthulhu_lib::intent::digest::hex;
use gthulhu_lib::intent::{Limits, set::IntentSet};
use gthulhu_lib::wire::{IntentBody, IntentsBody};
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
    report.note(format_args!("{} intents, leaves and tree: {ours:.1?}, naive {theirs:.1?}", set.len()))?;
    share(report, &set, bodies)
}

fn share(report: &mut Report<impl Write>, set: &IntentSet, bodies: Vec<IntentBody>) -> Outcome<()> {
    let text = serde_json::to_vec(&IntentsBody { intents: bodies, ..IntentsBody::default() })?;
    let take = || -> Outcome<IntentSet> {
        let body: IntentsBody = serde_json::from_slice(&text)?;
        Ok(IntentSet::check(body.intents, &Limits::default())?)
    };
    if take()?.digest() != set.digest() {
        return Err("the set is another after its way".into());
    }
    let turns = in_turns::<Infallible>(5, || Ok(cpu_of(take)), || Ok(cpu_of(|| set.digest())))?;
    report.ratio("digest-share", turns.b_over_a(), Goal::AtMost(0.25))?;
    let [taken, digest] = turns.each([1, 1]);
    report.note(format_args!(
        "our own digest {digest:.1?}; read from JSON, checked and put in order {taken:.1?}"
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
