//! What the command line says about itself. `GOLDEN=write` accepts what it says now.

use std::process::Command;

use gthulhu_http::testkit::golden::Golden;

const HELP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/help");

/// Every verb, and the program itself.
const VERBS: [&str; 29] = [
    "",
    "serve",
    "init",
    "keys",
    "keys rotate",
    "keys retire",
    "keys list",
    "users",
    "users create",
    "users reset-password",
    "users list",
    "store",
    "store backup",
    "store migrate",
    "store verify",
    "store restore",
    "audit",
    "audit verify",
    "certs",
    "certs ca",
    "certs issue",
    "certs renew",
    "certs inspect",
    "secrets",
    "config",
    "config check",
    "config show",
    "completions",
    "man",
];

fn run(words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gthulhu-manager"));
    let output = command.args(words).env_clear().output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_verb_explains_itself() {
    for verb in VERBS {
        let words: Vec<&str> = verb.split_terminator(' ').chain(["--help"]).collect();
        let (code, help) = run(&words);
        assert_eq!(code, Some(0), "{verb}");
        let name = if verb.is_empty() { "overview".to_owned() } else { verb.replace(' ', "-") };
        // Blanks at the end of a line are no part of what is said.
        let help: String = help.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
        Golden::new(HELP).check_text(&format!("{name}.txt"), &help);
    }
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, script) = run(&["completions", shell]);
        assert!(
            code == Some(0) && script.contains("gthulhu-manager") && script.contains("effective"),
            "{shell}"
        );
    }
    assert_eq!(run(&["completions", "tcsh"]).0, Some(64));
}

#[test]
fn the_manual_has_a_page_for_every_verb() {
    let dir = tempfile::tempdir().unwrap();
    let man = dir.path().join("man1");
    let (code, listed) = run(&["man", man.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    let page = |verb: &str| {
        let name = format!("gthulhu-manager {verb}").trim_end().replace(' ', "-");
        man.join(name + ".1").display().to_string()
    };
    let (mut pages, mut listed): (Vec<_>, Vec<_>) =
        (VERBS.map(page).into(), listed.lines().map(str::to_owned).collect());
    pages.sort();
    listed.sort();
    assert_eq!(listed, pages);
    let page = std::fs::read_to_string(man.join("gthulhu-manager.1")).unwrap();
    assert!(page.contains(".SH SYNOPSIS") && page.contains("Exit codes:"), "{page}");
}
