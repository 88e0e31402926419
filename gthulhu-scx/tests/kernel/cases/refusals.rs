//! What cannot be: a program that the kernel refuses, rights that are missing. And what need not be: files of the
//! distribution.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use crate::world::{Scheduler, Setting, World, broken, cgroup, state};

const INTENTS: &str = r#"{"intents": []}"#;

fn refused(setting: Setting) -> (Option<i32>, String) {
    let end = Scheduler::start(setting, &INTENTS).end();
    assert_eq!(state(), "disabled");
    (end.code, end.said)
}

/// A kernel side that the verifier does not let in: one line says so, and nothing has changed.
pub(crate) fn verifier(_: &mut World) {
    let program = PathBuf::from("/run/broken");
    fs::write(&program, broken::program()).expect("the guest's /run is writable");
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("it is ours");
    let (code, said) = refused(Setting { program: Some(program), ..Setting::default() });
    assert_eq!(code, Some(70), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains("verifier"), "{said}");
    assert!(last.len() < 500, "the log is not for everybody: {said}");
}

/// Nobody's rights: told which are missing.
pub(crate) fn no_capability(_: &mut World) {
    let by = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ];
    let by = by.map(str::to_owned).to_vec();
    let (code, said) = refused(Setting { by, ..Setting::default() });
    assert_eq!(code, Some(77), "{said}");
    assert!(said.to_lowercase().contains("cap_bpf"), "{said}");
}

/// A container's file system: no /boot, no modules, no configuration of the kernel.
pub(crate) fn no_boot(world: &mut World) {
    assert_eq!(fs::read_dir("/boot").expect("it is mounted").count(), 0, "the harness's /boot is empty");
    let by = [
        "unshare",
        "--mount",
        "bash",
        "-c",
        "mount -t tmpfs none /lib/modules; mount -t tmpfs none /usr/src; exec \"$@\"",
        "-",
    ];
    let by = by.map(str::to_owned).to_vec();
    let mut puppet = world.puppet("chosen", &cgroup("chosen"));
    let intents = json!({"intents": [{"cgroupPath": "/chosen", "priority": 5}]});
    let mut scheduler = Scheduler::start(Setting { by, ..Setting::default() }, &intents);
    scheduler.await_attached();
    scheduler.governs(&mut puppet);
    scheduler.stops();
}
