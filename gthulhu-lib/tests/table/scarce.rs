//! Without files or memory: each test has a process of its own, which it takes them from.

use std::env;
use std::process::Command;

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::strategy::table::TableWriter;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::entry;

/// Says that this is the process that the test is about.
const APART: &str = "GTHULHU_TEST_SCARCE";

/// Runs this test in a process of its own. Whether this is that process.
fn is_apart(test: &str) -> bool {
    if env::var_os(APART).is_some() {
        return true;
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(APART, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
    false
}

/// What comes of it while the process may have no more than this.
fn with_at_most<T>(limit: u64, resource: Resource, make: impl FnOnce() -> T) -> T {
    let before = getrlimit(resource);
    setrlimit(resource, Rlimit { current: Some(limit), maximum: before.maximum }).unwrap();
    let made = make();
    setrlimit(resource, before).unwrap();
    made
}

#[test]
fn a_table_without_a_file_says_why_and_serves_its_own_process() {
    if !is_apart("scarce::a_table_without_a_file_says_why_and_serves_its_own_process") {
        return;
    }
    let mut writer = with_at_most(0, Resource::Nofile, || TableWriter::new(512));
    let table = std::sync::Arc::clone(writer.table());
    let why = table.why_private().expect("there was no descriptor left");
    assert_eq!(why.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()), "{why}");
    assert!(table.file().is_none());
    writer.set(7, Some(entry(3, 100)));
    assert_eq!(table.lookup(7), Some(entry(3, 100)));
    let shared = TableWriter::new(512);
    assert!(shared.table().file().is_some() && shared.table().why_private().is_none());
}

#[test]
fn what_has_no_room_is_an_error_where_one_is_asked_for() {
    if !is_apart("scarce::what_has_no_room_is_an_error_where_one_is_asked_for") {
        return;
    }
    let walk = Box::new(ProcWalk::new(WalkOptions::default()).unwrap());
    let options = EngineOptions::default();
    // Less than the table has places for.
    let made = with_at_most(100 << 20, Resource::As, || Engine::try_new(walk, options));
    let error = made.expect_err("128 MiB are not to be had");
    assert_eq!(error.kind(), std::io::ErrorKind::OutOfMemory, "{error}");
    let walk = Box::new(ProcWalk::new(WalkOptions::default()).unwrap());
    assert!(Engine::try_new(walk, options).is_ok(), "and there is room again");
}
