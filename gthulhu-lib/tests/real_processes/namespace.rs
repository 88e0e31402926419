//! The same pods seen by a walk from inside a cgroup namespace of its own, as an unprivileged pod has it.

use std::process::Command;

use gthulhu_lib::process::ProcessSource;
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};

use crate::actors::Actor;
use crate::pods::{Pods, unshares};
use crate::table::{A, B};

const READER: &str = "8c1f9f0e-52a4-4a57-9d67-0f6b8c0f7a11";

#[test]
fn a_walk_in_a_cgroup_namespace_finds_the_same_pods() {
    let test = "a_walk_in_a_cgroup_namespace_finds_the_same_pods";
    let Some(pods) = Pods::new(test) else { return };
    if !unshares(&["--cgroup"], test) {
        return;
    }
    let guaranteed = Actor::named("nginx", &pods.container(A));
    let best_effort = Actor::named("nginx", &pods.best_effort_container(B));
    let mut expected = [format!("{A} {}", guaranteed.pid()), format!("{B} {}", best_effort.pid())];
    expected.sort_unstable();
    // From a place beside the pods, and from inside pods of either class.
    for reader in [pods.outside("reader"), pods.container(READER), pods.best_effort_container(READER)] {
        let inner = r#"echo $$ >"$procs" && exec unshare --cgroup "$0" --exact "$test" --nocapture"#;
        let output = Command::new("sh")
            .args(["-c", inner])
            .arg(std::env::current_exe().expect("this test is a program"))
            .env("procs", reader.procs())
            .env("test", "namespace::walks_when_told")
            .env("GTHULHU_TEST_WALK", pods.root())
            .output()
            .expect("sh runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "seen from {}: {text}{error}", reader.procs().display());
        let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("found ")).collect();
        assert_eq!(found, expected, "seen from {}", reader.procs().display());
    }
}

/// The walk that runs in the namespace. Run as an ordinary test it does nothing.
#[test]
fn walks_when_told() {
    let Some(root) = std::env::var_os("GTHULHU_TEST_WALK") else { return };
    let cgroup_root = Some(root.into_string().expect("the root is text"));
    let mut walk = ProcWalk::new(WalkOptions { cgroup_root, ..WalkOptions::default() }).expect("a good root");
    let snapshot = walk.survey().expect("/proc is readable");
    let mut found: Vec<String> = snapshot
        .processes
        .iter()
        .filter(|process| [A, B].contains(&&*process.pod_uid))
        .map(|process| format!("{} {}", process.pod_uid, process.id.pid))
        .collect();
    found.sort_unstable();
    println!();
    for line in found {
        println!("found {line}");
    }
}
