//! How many connections fit into the descriptors that the system grants.

use rustix::process::{Resource, getrlimit};

/// What the rest of the daemon keeps at least: its store, its log, its own connections to others.
const OWN: usize = 32;

/// At most `wanted`, and less where the process may not open so many files.
pub(super) fn connections(wanted: usize) -> usize {
    let granted = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    let fitting = beside_own(granted.unwrap_or(usize::MAX)).min(wanted);
    if fitting < wanted {
        tracing::info!(wanted, connections = fitting, "the limit on open files allows fewer connections");
    }
    fitting
}

fn beside_own(granted: usize) -> usize {
    // A tenth, so that a small limit still leaves most of it to callers and a large one enough to us.
    granted.saturating_sub(OWN.max(granted / 10)).max(granted / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_always_left_to_the_daemon() {
        for (granted, connections) in [(1024, 922), (20_000, 18_000), (256, 224), (64, 32), (40, 20), (1, 1)]
        {
            assert_eq!(beside_own(granted), connections, "of {granted}");
        }
    }
}
