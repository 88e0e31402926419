//! What happens where something is missing: the machine's abilities, or a scheduler to be asked.

use std::fs;

use crate::cli::run;

/// `check` lists every condition, and `run` ends as `check` does where one fails.
#[test]
fn check_lists_every_condition_and_run_ends_by_the_first_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    let (code, listed, said) = run(&["check"], dir.path());
    assert_eq!(listed.lines().count(), 7, "the kernel and six conditions: {listed}");
    let fails = listed.lines().find(|line| line.starts_with("FAILS"));
    let Some(first) = fails else {
        assert_eq!((code, said.as_str()), (Some(0), ""));
        return;
    };
    let what = first.get(35..).unwrap_or_default().trim();
    assert!(said.starts_with("gthulhu-scx: ") && said.trim_end().ends_with(what), "{said} for {first}");
    assert!(matches!(code, Some(75 | 77 | 78)), "{code:?}");
    fs::write(dir.path().join("i.json"), "{\"intents\": []}").unwrap();
    let (ended, _, says) = run(&["run", "--intents", "i.json"], dir.path());
    assert_eq!(ended, code);
    assert!(says.contains(what), "{says}");
}

#[test]
fn a_scheduler_that_does_not_run_cannot_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    for words in [&["status"][..], &["stats"], &["stats", "--json", "--watch"], &["explain", "1", "--json"]] {
        let words = [words, &["--socket", "./none.sock"]].concat();
        let (code, out, said) = run(&words, dir.path());
        let expected = "gthulhu-scx: no scheduler answers at ./none.sock: is `gthulhu-scx run` running?\n";
        assert_eq!((code, out.as_str(), said.as_str()), (Some(69), "", expected), "{words:?}");
    }
}
