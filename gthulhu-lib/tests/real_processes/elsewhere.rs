//! Where a source cannot work it says so, instead of seeing nothing.

use std::process::Command;

use crate::pods::{Pods, unshares};
use crate::table::A;

#[test]
fn the_connector_says_why_it_is_silent_in_another_namespace() {
    let test = "the_connector_says_why_it_is_silent_in_another_namespace";
    let Some(pods) = Pods::new(test) else { return };
    let _root = pods.container(A);
    for (namespace, reason) in [
        (&["--net"][..], "does not answer"),
        (&["--pid", "--fork"], "is of another PID namespace than this process"),
        (&["--pid", "--fork", "--mount-proc"], "does not answer"),
    ] {
        if !unshares(namespace, test) {
            return;
        }
        let output = Command::new("unshare")
            .args(namespace)
            .arg(std::env::current_exe().expect("this test is a program"))
            .args(["--exact", "quiet::follows_when_told", "--nocapture"])
            .env("GTHULHU_TEST_FOLLOW", pods.root())
            .output()
            .expect("unshare runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "in {namespace:?}: {text}{error}");
        let said = text.lines().find_map(|line| line.strip_prefix("unavailable: "));
        assert!(said.is_some_and(|said| said.contains(reason)), "in {namespace:?}: {text}");
    }
}
