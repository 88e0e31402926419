//! The decision maker's answer against the kernel's own lists. Both directions count: a row too few is a task that
//! would not be scheduled as asked, a row too many is somebody else's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::kernel::Task;

/// What a strategy asks for, as the decision maker is to repeat it on each row.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The priority as given.
    pub priority: i64,
    /// The slice in nanoseconds.
    pub execution_time: u64,
    /// The command regex as given; empty for all.
    pub regex: String,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
}

/// One row of `scheduling/strategies`, or of what it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    tid: u64,
    tgid: u64,
    priority: i64,
    execution_time: u64,
    regex: String,
    labels: BTreeSet<(String, String)>,
}

/// Compares the rows of `answer` (the whole body of `GET scheduling/strategies`) with the tasks that the kernel lists.
/// The difference, if any, is the error.
pub(super) fn strategies(answer: &Value, tasks: &BTreeSet<Task>, wanted: &Wanted) -> Result<(), String> {
    let rows = answer["scheduling"].as_array().ok_or("no list of rows")?;
    let told: Vec<Row> = rows.iter().map(row).collect::<Result<_, _>>()?;
    difference(&told, &tasks.iter().map(|task| expected(task, wanted)).collect::<Vec<_>>())
}

/// Compares a pod's `processes` (of `pods/pids`) with the leaders that the kernel lists.
pub(super) fn processes(answer: &Value, tasks: &BTreeSet<Task>) -> Result<(), String> {
    let rows = answer.as_array().ok_or("no list of processes")?;
    let told: Vec<(u64, u64, String)> = rows
        .iter()
        .map(|row| {
            let pid = row["pid"].as_u64().ok_or_else(|| format!("no pid in {row}"))?;
            let comm = row["command"].as_str().unwrap_or_default().to_owned();
            Ok((pid, row["ppid"].as_u64().unwrap_or_default(), comm))
        })
        .collect::<Result<_, String>>()?;
    let leaders = tasks.iter().filter(|task| task.tid == task.tgid);
    let listed = leaders.map(|task| (u64::from(task.tid), u64::from(task.parent), task.comm.clone()));
    difference(&told, &listed.collect::<Vec<_>>())
}

fn row(value: &Value) -> Result<Row, String> {
    let number = |key: &str| value[key].as_u64().ok_or_else(|| format!("no {key} in {value}"));
    let tid = number("pid")?;
    let selectors = value["selectors"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(Row {
        tid,
        tgid: if value["tgid"].is_null() { tid } else { number("tgid")? },
        priority: value["priority"].as_i64().ok_or_else(|| format!("no priority in {value}"))?,
        execution_time: number("execution_time")?,
        regex: text(&value["command_regex"]),
        labels: selectors.iter().map(|label| (text(&label["key"]), text(&label["value"]))).collect(),
    })
}

fn expected(task: &Task, wanted: &Wanted) -> Row {
    Row {
        tid: u64::from(task.tid),
        tgid: u64::from(task.tgid),
        priority: wanted.priority,
        execution_time: wanted.execution_time,
        regex: wanted.regex.clone(),
        labels: wanted.labels.clone().into_iter().collect(),
    }
}

fn difference<T: Ord + std::fmt::Debug>(told: &[T], kernel: &[T]) -> Result<(), String> {
    let (told_set, kernel_set): (BTreeSet<_>, BTreeSet<_>) = (told.iter().collect(), kernel.iter().collect());
    let list = |rows: Vec<&&T>| {
        let more = rows.len().saturating_sub(3);
        let shown = rows.iter().take(3).map(|row| format!("{row:?}")).collect::<Vec<_>>().join(", ");
        if more == 0 { shown } else { format!("{shown} and {more} more") }
    };
    let missing: Vec<_> = kernel_set.difference(&told_set).collect();
    let foreign: Vec<_> = told_set.difference(&kernel_set).collect();
    match (missing.is_empty(), foreign.is_empty()) {
        (true, true) if told.len() == told_set.len() => Ok(()),
        (true, true) => Err("a row is told twice".to_owned()),
        (false, true) => Err(format!("in the kernel but not told: {}", list(missing))),
        (true, false) => Err(format!("told but not in the kernel: {}", list(foreign))),
        (false, false) => Err(format!(
            "in the kernel but not told: {}; told but not there: {}",
            list(missing),
            list(foreign)
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(tid: u32, tgid: u32) -> Task {
        Task { tid, tgid, parent: 1, comm: "upf".to_owned() }
    }

    fn wanted() -> Wanted {
        let labels = BTreeMap::from([("app".to_owned(), "upf".to_owned())]);
        Wanted { priority: 3, execution_time: 5, regex: String::new(), labels }
    }

    fn told(pid: u32, tgid: Option<u32>) -> Value {
        let mut row = json!({"priority": 3, "execution_time": 5, "pid": pid, "selectors": [{"key": "app", "value": "upf"}]});
        if let Some(tgid) = tgid {
            row["tgid"] = json!(tgid);
        }
        row
    }

    #[test]
    fn equal_in_any_order() {
        let answer = json!({"scheduling": [told(8, Some(7)), told(7, None)]});
        assert_eq!(strategies(&answer, &BTreeSet::from([task(7, 7), task(8, 7)]), &wanted()), Ok(()));
        assert_eq!(strategies(&json!({"scheduling": []}), &BTreeSet::new(), &wanted()), Ok(()));
    }

    #[test]
    fn every_kind_of_difference_is_one() {
        let tasks = BTreeSet::from([task(7, 7), task(8, 7)]);
        let complete = [told(7, None), told(8, Some(7))];
        let cases = [
            ("in the kernel but not told", json!([told(7, None)])),
            ("told but not in the kernel", json!([told(7, None), told(8, Some(7)), told(1, None)])),
            ("a row is told twice", json!([told(7, None), told(7, None), told(8, Some(7))])),
            ("in the kernel but not told", json!([told(7, None), told(8, None)])),
            ("no list of rows", Value::Null),
            ("no pid", json!([{"priority": 1}])),
        ];
        for (problem, rows) in cases {
            let found = strategies(&json!({"scheduling": rows}), &tasks, &wanted()).unwrap_err();
            assert!(found.starts_with(problem), "{problem}: {found}");
        }
        for (key, value) in [
            ("priority", json!(4)),
            ("execution_time", json!(6)),
            ("command_regex", json!("x")),
            ("selectors", json!([])),
        ] {
            let mut rows = complete.clone();
            rows[0][key] = value;
            assert!(strategies(&json!({"scheduling": rows}), &tasks, &wanted()).is_err(), "{key}");
        }
    }

    #[test]
    fn processes_are_leaders_with_their_parents_and_names() {
        let tasks = BTreeSet::from([task(7, 7), task(8, 7)]);
        assert_eq!(processes(&json!([{"pid": 7, "ppid": 1, "command": "upf"}]), &tasks), Ok(()));
        for wrong in [
            json!([]),
            json!([{"pid": 7, "ppid": 2, "command": "upf"}]),
            json!([{"pid": 7, "ppid": 1, "command": "nginx"}]),
            json!([{"pid": 7, "ppid": 1, "command": "upf"}, {"pid": 8, "ppid": 1, "command": "upf"}]),
        ] {
            assert!(processes(&wrong, &tasks).is_err(), "{wrong}");
        }
    }
}
