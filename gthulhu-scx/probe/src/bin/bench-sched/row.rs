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
    /// The processes stopped.
    Stopped,
    /// The scheduler's process killed.
    Killed,
}

/// What a strategy may ask for.
const PRIORITIES: RangeInclusive<u32> = 1..=20;
/// More hogs only share what is left for them.
const HOGS: RangeInclusive<u32> = 1..=16;

/// Those that are measured when none is named.
pub(crate) const ALL: [Row; 12] = [
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
                .or_else(|| number("share-", HOGS).map(Row::Share))
                .ok_or_else(|| {
                    "rows are controls, none, prio-1 to prio-20, share-1 to share-16, stopped and killed"
                        .to_owned()
                }),
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
        for row in ALL.into_iter().chain([Row::Controls, Row::Priority(20), Row::Share(16)]) {
            assert_eq!(row.to_string().parse(), Ok(row));
        }
        for wrong in
            ["", "prio", "prio-", "prio-0", "prio-21", "prio-x", "share-0", "share-17", "fifo", "killed-1"]
        {
            let refusal = wrong.parse::<Row>().expect_err(wrong);
            assert!(refusal.contains("share-1 to share-16, stopped"), "{refusal}");
        }
    }
}
