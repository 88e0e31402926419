//! What the kernel's programs tell of real processes: the tests that the library has for its sources, with this one
//! beside the walk, and what is its own.
//!
//! Needs a kernel that takes the programs (no sched_ext) and a writable cgroup v2 tree; where one is missing each test
//! says loudly that it was skipped.

#[path = "../../../gthulhu-lib/tests/real_processes/actors.rs"]
mod actors;
#[path = "../feed/dm.rs"]
#[expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]
mod dm;
mod elsewhere;
#[path = "../../../gthulhu-lib/tests/real_processes/equivalence.rs"]
mod equivalence;
mod feed;
#[path = "../../../gthulhu-lib/tests/real_processes/govern.rs"]
mod govern;
mod monitor;
mod own;
#[path = "../../../gthulhu-lib/tests/real_processes/pods.rs"]
#[expect(dead_code, reason = "the library's other tests use the rest")]
mod pods;
#[path = "../../../gthulhu-lib/tests/real_processes/quiet.rs"]
mod quiet;
#[path = "../../../gthulhu-lib/tests/real_processes/reuse.rs"]
mod reuse;
mod sources;
#[path = "../../../gthulhu-lib/tests/shapes/table.rs"]
#[expect(dead_code, reason = "only two names are taken from it")]
mod table;

use std::time::Duration;

use govern::{intents, leaders};

/// Far beyond what anything here takes; a test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);
