//! Where the source cannot work it says so, instead of seeing nothing.

use std::process::Command;

use crate::pods::{Pods, skipped};
use crate::table::A;

#[test]
fn in_another_pid_namespace_it_says_why_it_does_not_work() {
    let test = "in_another_pid_namespace_it_says_why_it_does_not_work";
    let Some(pods) = Pods::new(test) else { return };
    let _root = pods.container(A);
    let output = Command::new("unshare")
        .args(["--pid", "--fork"])
        .arg(std::env::current_exe().expect("this test is a program"))
        .args(["--exact", "quiet::follows_when_told", "--nocapture"])
        .env("GTHULHU_TEST_FOLLOW", pods.root())
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output,
        Ok(output) => return skipped(test, &String::from_utf8_lossy(&output.stderr)),
        Err(error) => return skipped(test, &format!("unshare: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let said = text.lines().find_map(|line| line.strip_prefix("unavailable: "));
    assert_eq!(said, Some("this is not the first PID namespace"), "{text}");
}
