//! What the command line says about itself. `GOLDEN=write` accepts what it says now.

use std::path::Path;
use std::process::Command;

use gthulhu_http::testkit::golden::Golden;

const HELP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/help");

/// Exit code, standard output and standard error of the program with these words, in a directory without settings.
pub(crate) fn run(words: &[&str], dir: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gthulhu-scx"));
    let output = command.args(words).env_clear().current_dir(dir).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_verb_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    for verb in ["", "run", "check", "status", "stats", "explain", "monitor"] {
        let words: Vec<&str> = verb.split_terminator(' ').chain(["--help"]).collect();
        let (code, help, _) = run(&words, dir.path());
        assert_eq!(code, Some(0), "{verb}");
        let name = if verb.is_empty() { "overview" } else { verb };
        // Blanks at the end of a line are no part of what is said.
        let help: String = help.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
        Golden::new(HELP).check_text(&format!("{name}.txt"), &help);
    }
}

#[test]
fn the_common_verbs_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let (code, script, _) = run(&["completions", "bash"], dir.path());
    assert!(code == Some(0) && script.contains("gthulhu-scx"));
    let (code, pages, _) = run(&["man", "man1"], dir.path());
    assert!(code == Some(0) && pages.contains("man1/gthulhu-scx-explain.1"), "{pages}");
    let (code, shown, _) = run(&["config", "show", "--effective"], dir.path());
    assert!(code == Some(0) && shown.contains("socket = \"/run/gthulhu/scx.sock\""), "{shown}");
    let (code, verdict, _) = run(&["config", "check"], dir.path());
    assert_eq!((code, verdict.as_str()), (Some(0), "(no file): 0 mistakes, 0 warnings\n"));
    std::fs::write(dir.path().join("scx_config.toml"), "[scheduler]\nslice = \"1s\"\n").unwrap();
    let (code, _, said) = run(&["config", "check", "-d", "."], dir.path());
    assert_eq!(code, Some(78));
    assert!(said.contains("./scx_config.toml:2:9: `scheduler.slice` must be 100\u{b5}s to 100ms"), "{said}");
}

#[test]
fn two_sources_of_intents_are_one_too_many() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, said) = run(&["run", "--intents", "a", "--feed", "b"], dir.path());
    assert!(code == Some(64) && said.contains("cannot be used with"), "{said}");
}

#[test]
fn a_table_at_a_socket_of_others_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (source, table) in [("--feed", "b"), ("--intents", "/run/gthulhu/scx.sock")] {
        let (code, _, said) = run(&["run", source, "b", "--table", table], dir.path());
        assert!(code == Some(78) && said.contains("`table.socket` must be another than "), "{said}");
    }
}
