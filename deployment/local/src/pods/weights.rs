//! The kernel's CPU controller for the cgroups of pods: with it each pod has a `cpu.weight`, as under a kubelet, and
//! one pod with many processes counts for no more than one with few.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cgroup::Base;
use crate::error::LocalError;

const FILE: &str = "cgroup.subtree_control";

/// The controller is on for all pods below a base. Dropping it turns it off where it was off before.
#[derive(Debug)]
pub struct Weights {
    turned_on: Vec<PathBuf>,
}

impl Weights {
    /// Turns the controller on from `base` down to the pods. To be called while there is at least one pod, which keeps
    /// the levels above it.
    pub fn on(base: &Base) -> Result<Self, LocalError> {
        let mut weights = Self { turned_on: Vec::new() };
        for level in base.levels() {
            let file = level.join(FILE);
            let text = fs::read_to_string(&file).map_err(LocalError::file(&file))?;
            if !is_on(&text) {
                switch(&file, "+cpu").map_err(|error| {
                    LocalError::Unsupported(format!("no CPU weights for pods: {}: {error}", file.display()))
                })?;
                weights.turned_on.push(file);
            }
        }
        Ok(weights)
    }
}

impl Drop for Weights {
    fn drop(&mut self) {
        // From the bottom up: a level that is in use below cannot be turned off. Those that are gone by now need not be.
        for file in self.turned_on.iter().rev() {
            drop(switch(file, "-cpu"));
        }
    }
}

fn is_on(controllers: &str) -> bool {
    controllers.split_whitespace().any(|name| name == "cpu")
}

fn switch(file: &Path, how: &str) -> io::Result<()> {
    fs::write(file, how)
}

/// The weight of a cgroup, 1 to 10000; 100 is the kernel's default.
pub fn weight(cgroup: &Path) -> Result<u32, LocalError> {
    let file = cgroup.join("cpu.weight");
    let text = fs::read_to_string(&file).map_err(LocalError::file(&file))?;
    text.trim_end().parse().map_err(|_| LocalError::NotSeen(format!("a number in {}", file.display())))
}

/// The CPU time that a cgroup has used, in microseconds.
pub fn used_us(cgroup: &Path) -> Result<u64, LocalError> {
    let file = cgroup.join("cpu.stat");
    let text = fs::read_to_string(&file).map_err(LocalError::file(&file))?;
    let used = text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok());
    used.ok_or_else(|| LocalError::NotSeen(format!("usage_usec in {}", file.display())))
}
