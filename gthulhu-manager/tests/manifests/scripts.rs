//! The scripts around kind, run with programs that only write down how they were called. `GOLDEN=write` accepts what they
//! do now.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use gthulhu_http::testkit::golden::Golden;

use crate::objects::root;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/kind");

/// Stands in for every program: writes down its name and arguments, and answers what the script needs to go on.
const STAND_IN: &str = r#"#!/bin/bash
name=${0##*/}
[ "$name" = curl ] && [[ "$*" = */health* ]] && {
    # The port is forwarded in the background.
    until grep -q port-forward "$CALLS"; do :; done
}
{ printf '%s' "$name"; printf ' %q' "$@" | sed 's,/dev/fd/[0-9]*,/dev/fd/N,'; echo; } >>"$CALLS"
case "$name $*" in
    'kind get clusters') printf '%s' "$CLUSTERS" ;;
    *.data.email*) printf 'admin@localhost' | base64 ;;
    *.data.password*) printf 'a "quoted" password' | base64 ;;
    'curl '*/auth/login*) cat >>"$BODIES"; echo '{"data":{"token":"t"}}' ;;
    'curl '*'POST '*/strategies*) cat >>"$BODIES"; echo '{}' ;;
    'curl '*/strategies/self*) cat >/dev/null; echo '{"data":{"strategies":[{"ID":"1"},{"ID":"2"}]}}' ;;
    'curl '*/intents/self*) cat >/dev/null; echo "{\"data\":{\"intents\":[{\"StrategyID\":\"2\",\"State\":$STATE}]}}" ;;
    'curl '*) cat >>"$BODIES" ;;
esac
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
    for name in ["kind", "docker", "kubectl", "curl", "sleep"] {
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

/// What is published under which name, by the reference that it is built of.
#[test]
fn releases_have_the_tags_that_users_know() {
    let publish =
        |reference: &str| run_with("../../tools/image.sh", &["api"], &[("REF", reference), ("PUSH", "1")]);
    for (reference, tags) in [
        ("refs/heads/main", &["main"][..]),
        ("refs/tags/v1.4.12", &["1.4.12", "1.4", "1", "latest"]),
        ("refs/tags/v2.0.0-rc.1", &["2.0.0-rc.1"]),
    ] {
        let calls = publish(reference).calls;
        let pushed: Vec<&str> =
            calls.lines().filter_map(|line| line.strip_prefix("docker push ghcr.io/gthulhu/api:")).collect();
        assert_eq!(pushed, tags, "{calls}");
    }
    for reference in ["refs/heads/other", "refs/tags/v1.4", "refs/pull/1/merge"] {
        let run = publish(reference);
        assert_eq!((run.output.status.code(), run.calls.as_str()), (Some(65), ""), "{reference}");
    }
}

#[test]
fn every_image_has_its_name() {
    let all = run_with("../../tools/image.sh", &[], &[("TAGS", "1.0.0")]);
    check("image", &all);
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    const TEST: &str = "shellcheck_finds_nothing_in_the_scripts";
    let tools = root().parent().unwrap().join("tools");
    let shell = |dir: &Path| -> Vec<_> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "sh")).collect()
    };
    let ours = ["image.sh", "install.sh", "rootfs.sh", "rootfs/smoke.sh"].map(|name| tools.join(name));
    let scripts = [shell(&root().join("kind")), ours.to_vec()].concat();
    match Command::new("shellcheck").arg("-x").args(&scripts).current_dir(tools.parent().unwrap()).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => println!("SKIPPED {TEST}: shellcheck: {error}"),
    }
}
