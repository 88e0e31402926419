//! The configuration: what may be set, what each value must be, and what it means when it is left out.
//!
//! [`Config`] mirrors the file (`config/scx_config.toml` names every key). The file may be missing: with `--intents` the
//! defaults are enough.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use gthulhu_http::settings::{Configuration, Finding, Origins, rules};
use gthulhu_lib::process::cgroup::{OwnDepth, Roots};
use serde::{Deserialize, Serialize};

mod sections;

pub use sections::{Control, Feed, HonourLimits, Intents, Limits, Logging, Monitor, Node, Scheduler, Table};

/// Everything that can be set: by file, and each key by `SCX_SECTION_KEY` in the environment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "each field is the section of that name, and the section's type says what it holds"
)]
pub struct Config {
    pub logging: Logging,
    pub intents: Intents,
    pub feed: Feed,
    pub control: Control,
    pub table: Table,
    pub scheduler: Scheduler,
    pub monitor: Monitor,
    pub node: Node,
    pub limits: Limits,
}

const SLICE: RangeInclusive<Duration> = Duration::from_micros(100)..=Duration::from_millis(100);
/// The kernel takes at most 30 seconds; below one second our own rescue of waiting tasks would come too late.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(30);
const POLL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

impl Configuration for Config {
    const PROGRAM: &'static str = "gthulhu-scx";
    const PREFIX: &'static str = "SCX";
    const NAME: &'static str = "scx_config";
    const FILE_OPTIONAL: bool = true;

    fn examine(&self, origins: &Origins) -> Vec<Finding> {
        let mut found = self.wrong();
        if !self.intents.file.as_os_str().is_empty() && origins.has_section("feed") {
            found.push(Finding::note("feed.socket", "is not used: intents.file is set"));
        }
        found
    }
}

impl Config {
    /// What cannot be run with.
    pub(crate) fn wrong(&self) -> Vec<Finding> {
        let Config { node, scheduler, intents, feed, control, table, .. } = self;
        let root = Some(node.cgroup_root.as_str()).filter(|root| !root.is_empty());
        let is_unset = |path: &Path| path.as_os_str().is_empty();
        let by_feed = is_unset(&intents.file);
        let table_at = |other: &Path| !is_unset(other) && table.socket == other;
        let rows = [
            rules::log_level("logging.level", &self.logging.level),
            rules::duration("scheduler.slice", scheduler.slice, SLICE),
            rules::duration("scheduler.timeout", scheduler.timeout, TIMEOUT),
            rules::duration("node.poll", node.poll, POLL),
            Roots::new(root, OwnDepth::default())
                .err()
                .map(|error| Finding::wrong("node.cgroup_root", format!("must be a cgroup's path: {error}"))),
            is_unset(&control.socket).then(|| Finding::wrong("control.socket", "must name a socket")),
            (by_feed && is_unset(&feed.socket))
                .then(|| Finding::wrong("feed.socket", "must name a socket, or intents.file a file")),
            table_at(&control.socket)
                .then(|| Finding::wrong("table.socket", "must be another than control.socket")),
            (by_feed && table_at(&feed.socket)).then(|| {
                Finding::wrong(
                    "table.socket",
                    "must be another than feed.socket, where a decision maker listens",
                )
            }),
        ];
        rows.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use gthulhu_http::time::DurationText;

    use super::*;

    #[test]
    fn the_defaults_can_be_run_with() {
        assert_eq!(Config::default().examine(&Origins::default()), []);
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        type Edit = fn(&mut Config);
        let rows: [(&str, Edit); 11] = [
            ("logging.level", |c| c.logging.level = "loud".into()),
            ("scheduler.slice", |c| c.scheduler.slice = DurationText::new(Duration::from_micros(99))),
            ("scheduler.slice", |c| c.scheduler.slice = DurationText::new(Duration::from_millis(101))),
            ("scheduler.timeout", |c| c.scheduler.timeout = DurationText::new(Duration::from_secs(1))),
            ("scheduler.timeout", |c| c.scheduler.timeout = DurationText::new(Duration::from_secs(31))),
            ("node.poll", |c| c.node.poll = DurationText::new(Duration::from_millis(99))),
            ("node.cgroup_root", |c| c.node.cgroup_root = "../kubepods".into()),
            ("control.socket", |c| c.control.socket = "".into()),
            ("feed.socket", |c| c.feed.socket = "".into()),
            ("table.socket", |c| c.table.socket = c.control.socket.clone()),
            ("table.socket", |c| c.table.socket = c.feed.socket.clone()),
        ];
        for (key, edit) in rows {
            let mut config = Config::default();
            edit(&mut config);
            let found: Vec<String> = config.wrong().into_iter().map(|finding| finding.key).collect();
            assert_eq!(found, [key]);
        }
    }
}
