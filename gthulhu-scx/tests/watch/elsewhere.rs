//! Where the source cannot work it says so, instead of seeing nothing.

use std::process::Command;

use gthulhu_lib::process::governed;
use gthulhu_scx::watch::Unavailable;

use crate::pods::{Pods, unshares};
use crate::sources::source;
use crate::table::A;

#[test]
fn in_another_pid_namespace_it_says_why_it_does_not_work() {
    let test = "in_another_pid_namespace_it_says_why_it_does_not_work";
    let Some(pods) = Pods::new(test) else { return };
    let _root = pods.container(A);
    let namespaces = ["--pid", "--fork"];
    if !unshares(&namespaces, test) {
        return;
    }
    let output = Command::new("unshare")
        .args(namespaces)
        .arg(std::env::current_exe().expect("this test is a program"))
        .args(["--exact", "quiet::follows_when_told", "--nocapture"])
        .env("GTHULHU_TEST_FOLLOW", pods.root())
        .output()
        .expect("unshare runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let said = text.lines().find_map(|line| line.strip_prefix("unavailable: "));
    assert_eq!(said, Some("this is not the first PID namespace"), "{text}");
}

#[test]
fn where_pods_may_be_in_version_1_it_is_not_for_use() {
    let test = "where_pods_may_be_in_version_1_it_is_not_for_use";
    let Some(pods) = Pods::new(test) else { return };
    let Some(version_1) = pods.twin(test, "pids") else { return };
    let (_here, _there) = (pods.container(A), version_1.container(A));
    let refused = source(pods.root().to_owned()).expect_err("nobody knows where pods will be");
    assert!(matches!(refused, Unavailable::Hybrid(governed::Unavailable::Hybrid(_))), "{refused}");
}
