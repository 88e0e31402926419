//! `FAULTS.md` keeps its word: every test that it names exists, and no case of the kernel is missing in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The rows of the table: fault, what must happen, tests, when.
fn rows() -> Vec<[String; 4]> {
    let text = text_of("gthulhu-scx/tests/FAULTS.md");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| fault"));
    rows.map(|line| {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("not four cells: {cells:?}"))
    })
    .collect()
}

/// A file of the project.
fn text_of(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a package lies in the workspace");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Each case of the kernel, and whether it runs only in the long form.
fn cases() -> Vec<(String, bool)> {
    let table = text_of("gthulhu-scx/tests/kernel/table.rs");
    let entries = table.split("    case(\"").skip(1);
    let named = |entry: &str| {
        let (name, rest) = entry.split_once('"').expect("a name ends");
        (name.to_owned(), rest.contains("only_long"))
    };
    entries.map(named).collect()
}

/// `FILE: NAME` is the function of that name in that file; `bench-sched: ROW` a row of the bench; else a case.
fn exists(name: &str) -> bool {
    match name.split_once(": ") {
        Some(("bench-sched", row)) => {
            text_of("gthulhu-scx/probe/src/bin/bench-sched/row.rs").contains(&format!("\"{row}\""))
        }
        Some((file, test)) => text_of(file).contains(&format!("fn {test}(")),
        None => cases().iter().any(|(case, _)| case == name),
    }
}

#[test]
fn every_test_that_is_named_exists() {
    for [fault, _, tests, when] in rows() {
        match when.as_str() {
            "test" | "long" => assert!(names(&tests).next().is_some(), "no test for: {fault}"),
            "later" => {}
            other => panic!("{other:?} is not test, long or later: {fault}"),
        }
        for name in names(&tests) {
            assert!(exists(name), "`{name}` does not exist: {fault}");
        }
    }
}

#[test]
fn what_is_called_test_runs_in_the_short_form() {
    let cases = cases();
    for [fault, _, tests, when] in rows().into_iter().filter(|row| row[3] == "test") {
        let short = |name: &str| !cases.iter().any(|(case, long)| case == name && *long);
        assert!(names(&tests).any(short), "only long cases ({when}): {fault}: {tests}");
    }
}

#[test]
fn every_case_of_the_kernel_is_told_of() {
    let rows = rows();
    let told: BTreeSet<&str> = rows.iter().flat_map(|row| names(&row[2])).collect();
    let missing: Vec<String> =
        cases().into_iter().map(|(name, _)| name).filter(|name| !told.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "not in FAULTS.md: {missing:?}");
}
