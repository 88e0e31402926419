//! The scripts around kind, run with programs that only write down how they were called. `GOLDEN=write` accepts what they
//! do now.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use gthulhu_http::testkit::golden::Golden;

use crate::objects::root;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/kind");

/// Stands in for every program: writes down its name and arguments, and answers what the script needs to go on.
const STAND_IN: &str = r#"#!/bin/bash
name=${0##*/}
status=0
if [[ "$name $*" = 'curl '*/openapi.json ]]; then
    # Nobody answers before the port is forwarded, which happens in the background.
    if grep -q openapi.json "$CALLS"; then until grep -q port-forward "$CALLS"; do :; done; else status=7; fi
fi
# In one piece: what runs in the background writes here too.
line=$(printf '%s' "$name"; printf ' %q' "$@" | sed 's,/dev/fd/[0-9]*,/dev/fd/N,')
printf '%s\n' "$line" >>"$CALLS"
case "$name $*" in
    *port-forward*) while [ -e "$CALLS" ]; do /bin/sleep 0.1; done ;;
    'git tag --list '*) for tag in $TAGGED; do [[ "$tag" != $3 ]] || echo "$tag"; done ;;
    'kind get clusters') printf '%s' "$CLUSTERS" ;;
    *.data.email*) printf 'admin@localhost' | base64 ;;
    *.data.password*) printf 'a "quoted" password' | base64 ;;
    'curl '*/auth/login*) cat >>"$BODIES"; echo '{"data":{"token":"t"}}' ;;
    'curl '*'POST '*/strategies*) cat >>"$BODIES"; echo '{}' ;;
    'curl '*/strategies/self*) cat >/dev/null; echo '{"data":{"strategies":[{"ID":"1"},{"ID":"2"}]}}' ;;
    'curl '*/intents/self*) cat >/dev/null; echo "{\"data\":{\"intents\":[{\"StrategyID\":\"2\",\"State\":$STATE}]}}" ;;
    'curl '*/openapi.json) ;;
    'curl '*) cat >>"$BODIES" ;;
esac
exit $status
"#;

/// What became of a script, what it called, and what it sent.
struct Run {
    output: Output,
    calls: String,
    bodies: String,
}

fn run(script: &str, arguments: &[&str], clusters: &str, state: &str) -> Run {
    run_with(script, arguments, &[("CLUSTERS", clusters), ("STATE", state)])
}

fn run_with(script: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for name in ["kind", "docker", "kubectl", "curl", "git", "sleep"] {
        fs::write(path(name), STAND_IN).unwrap();
        fs::set_permissions(path(name), Permissions::from_mode(0o755)).unwrap();
    }
    for name in ["calls", "bodies"] {
        fs::write(path(name), "").unwrap();
    }
    let output = Command::new(root().join("kind").join(script))
        .args(arguments)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()))
        .env("ENGINE", "docker")
        .env("CALLS", path("calls"))
        .env("BODIES", path("bodies"))
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let read = |name| fs::read_to_string(path(name)).unwrap();
    Run { output, calls: read("calls"), bodies: read("bodies") }
}

fn check(name: &str, run: &Run) {
    let said = String::from_utf8_lossy(&run.output.stdout);
    assert!(run.output.status.success(), "{name}: {:?}", run.output);
    Golden::new(GOLDEN).check_text(&format!("{name}.txt"), &format!("{}{said}", run.calls));
}

#[test]
fn the_scripts_call_what_they_should() {
    let cluster = "gthulhu-api-local\n";
    check("setup", &run("local_setup.sh", &[], "another\n", ""));
    check("setup-again-with-scheduler", &run("local_setup.sh", &["--scheduler"], cluster, ""));
    check("teardown", &run("local_teardown.sh", &[], cluster, ""));
    check("teardown-of-nothing", &run("local_teardown.sh", &[], "gthulhu-api-local-2\n", ""));
    let tried = run("local_test.sh", &[], cluster, "2");
    check("test", &tried);
    let bodies: Vec<&str> = tried.bodies.split_whitespace().collect();
    assert_eq!(
        bodies.join(" "),
        r#"{ "username": "admin@localhost", "password": "a \"quoted\" password" } {"labelSelectors": [{"key": "app", "value": "busybox"}], "priority": 1} {"strategyId": "2"}"#
    );
    assert!(!tried.calls.contains("quoted"), "a password is in an argument: {}", tried.calls);
}

#[test]
fn a_test_whose_strategy_no_node_takes_fails() {
    let run = run("local_test.sh", &[], "", "1");
    assert_eq!(run.output.status.code(), Some(1), "{:?}", run.output);
    assert!(run.bodies.contains("strategyId"), "it is deleted all the same");
}

#[test]
fn a_wrong_argument_is_told_before_anything_happens() {
    let run = run("local_setup.sh", &["--everything"], "", "");
    assert_eq!((run.output.status.code(), run.calls.as_str()), (Some(64), ""));
}

/// What is published under which name, by the reference that it is built of and what was released before.
#[test]
fn releases_have_the_tags_that_users_know() {
    let publish = |reference: &str, released: &str| {
        let variables = [("REF", reference), ("PUSH", "1"), ("TAGGED", released)];
        run_with("../../tools/image.sh", &["api"], &variables)
    };
    for (reference, released, tags) in [
        ("refs/heads/main", "v1.0.0", &["main"][..]),
        ("refs/tags/v1.4.12", "v1.4.12 v1.4.9 v0.9.0 v2.0.0-rc.1", &["1.4.12", "1.4", "1", "latest"]),
        // No tag moves to something older.
        ("refs/tags/v1.4.12", "v1.4.12 v1.5.0", &["1.4.12", "1.4"]),
        ("refs/tags/v1.4.12", "v1.4.12 v1.4.13", &["1.4.12"]),
        ("refs/tags/v1.4.12", "v1.4.12 v2.0.0", &["1.4.12", "1.4", "1"]),
        ("refs/tags/v2.0.0-rc.1", "v1.0.0", &["2.0.0-rc.1"]),
    ] {
        let calls = publish(reference, released).calls;
        let pushed: Vec<&str> =
            calls.lines().filter_map(|line| line.strip_prefix("docker push ghcr.io/gthulhu/api:")).collect();
        assert_eq!(pushed, tags, "{calls}");
    }
    for reference in ["refs/heads/other", "refs/tags/v1.4", "refs/pull/1/merge"] {
        let run = publish(reference, "");
        assert_eq!((run.output.status.code(), run.calls.as_str()), (Some(65), ""), "{reference}");
    }
}

#[test]
fn to_publish_nothing_is_an_error() {
    let run = run_with("../../tools/image.sh", &["api"], &[("PUSH", "1")]);
    assert_eq!((run.output.status.code(), run.calls.as_str()), (Some(64), ""));
}

#[test]
fn every_image_has_its_name() {
    let all = run_with("../../tools/image.sh", &[], &[("TAGS", "1.0.0")]);
    check("image", &all);
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    const TEST: &str = "shellcheck_finds_nothing_in_the_scripts";
    let top = root().parent().unwrap().to_owned();
    // What others source is looked at with them.
    let is_program = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "sh")
            && fs::read_to_string(path).unwrap().starts_with("#!")
    };
    let programs = |dir: &str| -> Vec<_> {
        let entries = fs::read_dir(top.join(dir)).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(is_program).collect()
    };
    let scripts = ["deployment/kind", "tools", "tools/rootfs"].map(programs).concat();
    assert!(scripts.len() > 15, "{scripts:?}");
    match Command::new("shellcheck").arg("-x").args(&scripts).current_dir(&top).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => println!("SKIPPED {TEST}: shellcheck: {error}"),
    }
}
