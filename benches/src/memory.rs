//! Goal-less figure `memory`: what the pods of a large cluster cost the manager, from files to intents.
//!
//! A process of its own does the work, because peak memory is counted for processes. It says what it used in one line.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gthulhu_lib::derive::Catalogue;
use gthulhu_lib::id::Id;
use gthulhu_manager::cluster::Cluster;
use gthulhu_manager::cluster::folder::{FolderCluster, FolderOptions};
use serde_json::json;

use crate::Outcome;
use crate::compiled::sibling;
use crate::fixtures;
use crate::harness::Report;

const PODS_PER_FILE: usize = 1_000;

/// Lets the process do its work and reports what it says.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    write_manifests(dir.path())?;
    let output = Command::new(sibling("memory")?).arg(dir.path()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    report.line(String::from_utf8(output.stdout)?.trim_end())?;
    Ok(())
}

/// The process's work: a folder of manifests, the cluster read from it, the intents of all strategies, and every node's
/// set as it is pushed.
pub fn measure(dir: &Path) -> Outcome<String> {
    let before = peak_kib()?;
    let begun = Instant::now();
    let options = FolderOptions { rescan: Duration::from_secs(3600), ..FolderOptions::default() };
    let cluster = FolderCluster::open(dir, Vec::new(), options)?;
    let view = cluster.view();
    if view.pods.len() != fixtures::PODS as usize {
        return Err(format!("{} pods were read: {:?}", view.pods.len(), view.reason).into());
    }
    let (read, after_reading) = (begun.elapsed(), peak_kib()?);
    let catalogue = Catalogue::new(&view.pods.iter().cloned().collect::<Vec<_>>());
    let after_catalogue = peak_kib()?;
    let derived = catalogue.derive(&fixtures::strategies(), &HashSet::<Id>::new());
    let bodies: Vec<_> = derived.intents.iter().map(gthulhu_lib::derive::DerivedIntent::body).collect();
    let end = peak_kib()?;
    let per_pod = |kib: u64| kib.saturating_sub(before) * 1024 / u64::from(fixtures::PODS);
    Ok(format!(
        "memory peak {} MiB with {} pods and {} intents: {} bytes a pod, of which {} after reading the folder \
         (in {read:.1?}) and {} more for the catalogue",
        end / 1024,
        view.pods.len(),
        bodies.len(),
        per_pod(end),
        per_pod(after_reading),
        per_pod(after_catalogue) - per_pod(after_reading),
    ))
}

fn write_manifests(dir: &Path) -> Outcome<()> {
    for (number, pods) in fixtures::pods(fixtures::PODS).chunks(PODS_PER_FILE).enumerate() {
        let items: Vec<_> = pods
            .iter()
            .map(|pod| {
                json!({
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {
                        "name": pod.name, "namespace": pod.namespace, "uid": pod.uid, "labels": pod.labels,
                    },
                    "spec": { "nodeName": pod.node },
                    "status": { "phase": "Running" },
                })
            })
            .collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        fs::write(dir.join(format!("pods-{number:03}.json")), list.to_string())?;
    }
    Ok(())
}

/// The most memory that this process has had so far, in KiB.
fn peak_kib() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
