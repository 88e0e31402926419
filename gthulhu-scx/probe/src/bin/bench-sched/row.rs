//! The rows by their names.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// What a row measures beside the controls, which always run first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// Nothing.
    Controls,
    /// The probe without a strategy.
    None,
    /// The probe with this priority.
    Priority(u32),
    /// So many hogs of the strongest priority.
    Share(u32),
    /// So many tasks that compute, and nothing else.
    Crowd(u32),
    /// The processes stopped.
    Stopped,
    /// The scheduler's process killed.
    Killed,
}

/// What a strategy may ask for.
const PRIORITIES: RangeInclusive<u32> = 1..=20;
/// As many as there are cgroups for.
const STRONG: RangeInclusive<u32> = 1..=4;
/// What fits into the guest, many times.
const CROWDS: RangeInclusive<u32> = 1..=4000;

/// The answer to a name that is none of them.
const KNOWN: &str = "rows are controls, none, prio-1 to prio-20, share-1 to share-4, crowd-1 to crowd-4000, stopped and killed";

/// Those that are measured when none is named.
pub(crate) const ALL: [Row; 13] = [
    Row::None,
    Row::Priority(1),
    Row::Priority(5),
    Row::Priority(9),
    Row::Priority(10),
    Row::Priority(20),
    Row::Share(1),
    Row::Share(2),
    Row::Share(3),
    Row::Share(4),
    Row::Crowd(2000),
    Row::Stopped,
    Row::Killed,
];

impl FromStr for Row {
    type Err = String;

    fn from_str(name: &str) -> Result<Row, String> {
        let number = |prefix: &str, allowed: RangeInclusive<u32>| {
            let number = name.strip_prefix(prefix)?.parse().ok()?;
            allowed.contains(&number).then_some(number)
        };
        match name {
            "controls" => Ok(Row::Controls),
            "none" => Ok(Row::None),
            "stopped" => Ok(Row::Stopped),
            "killed" => Ok(Row::Killed),
            _ => number("prio-", PRIORITIES)
                .map(Row::Priority)
                .or_else(|| number("share-", STRONG).map(Row::Share))
                .or_else(|| number("crowd-", CROWDS).map(Row::Crowd))
                .ok_or_else(|| KNOWN.to_owned()),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Row::Controls => f.pad("controls"),
            Row::None => f.pad("none"),
            Row::Priority(priority) => f.pad(&format!("prio-{priority}")),
            Row::Share(hogs) => f.pad(&format!("share-{hogs}")),
            Row::Crowd(tasks) => f.pad(&format!("crowd-{tasks}")),
            Row::Stopped => f.pad("stopped"),
            Row::Killed => f.pad("killed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_known_by_its_name_and_no_other() {
        let all = [
            "none",
            "prio-1",
            "prio-5",
            "prio-9",
            "prio-10",
            "prio-20",
            "share-1",
            "share-2",
            "share-3",
            "share-4",
            "crowd-2000",
            "stopped",
            "killed",
        ];
        assert_eq!(ALL.map(|row| row.to_string()), all);
        for row in ALL.into_iter().chain([Row::Controls, Row::Priority(20), Row::Crowd(4000)]) {
            assert_eq!(row.to_string().parse(), Ok(row));
        }
        for wrong in [
            "",
            "prio",
            "prio-",
            "prio-0",
            "prio-21",
            "prio-x",
            "share-0",
            "share-5",
            "crowd-",
            "crowd-4001",
            "fifo",
            "killed-1",
        ] {
            assert_eq!(wrong.parse::<Row>(), Err(KNOWN.to_owned()), "{wrong}");
        }
    }
}
