//! How little the scheduler has to be allowed.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use gthulhu_scx::preflight::NEEDED;
use serde_json::json;

use crate::guest;
use crate::world::{Scheduler, Setting, World, cgroup, program, state, until};

/// Somebody without any rights of his own.
const NOBODY: u32 = 65534;

/// What starts a program as nobody, with these capabilities and no chance of others.
fn as_nobody(capabilities: &[&str]) -> Vec<String> {
    let chosen: String = capabilities
        .iter()
        .fold("-all".to_owned(), |all, name| all + ",+" + &name.trim_start_matches("CAP_").to_lowercase());
    let mut words: Vec<String> =
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
            .map(str::to_owned)
            .into();
    words.extend(["inh-caps", "ambient-caps", "bounding-set"].map(|set| format!("--{set}={chosen}")));
    words
}

/// Loads and attaches the kernel side alone, without the program's own checks. The kernel's word, if it refuses.
fn load(capabilities: &[&str]) -> Result<(), String> {
    let words = as_nobody(capabilities);
    let mut command = Command::new(&words[0]);
    let output = command.args(&words[1..]).arg(program()).arg(guest::LOAD).output().expect("setpriv runs");
    assert_eq!(state(), "disabled", "nothing stays attached");
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The two that the program asks for are enough for everything, and each is needed: the kernel says so.
pub(crate) fn capabilities(world: &mut World) {
    let names = NEEDED.map(|(name, _)| name);
    assert_eq!(load(&names), Ok(()));
    for left_out in names {
        let rest: Vec<&str> = names.into_iter().filter(|name| *name != left_out).collect();
        let refusal = load(&rest).expect_err("it would not be needed otherwise");
        println!("without {left_out}: {refusal}");
    }

    // The whole program as nobody: attaches, follows changes, finds new containers, answers.
    chown("/run/gthulhu", Some(NOBODY), Some(NOBODY)).expect("root may");
    let cgroup = cgroup("chosen");
    let mut puppet = world.puppet("chosen", &cgroup);
    let intents = |priority| json!({"intents": [{"cgroupPath": "/chosen", "priority": priority}]});
    let setting = Setting { by: as_nobody(&names), ..Setting::default() };
    let mut scheduler = Scheduler::start(setting, &intents(5));
    scheduler.await_attached();
    assert_eq!(scheduler.governs(&mut puppet).priority, 5);
    scheduler.gets(&intents(6));
    until("the change holds", || scheduler.governs(&mut puppet).priority == 6);
    let status = fs::read_to_string(format!("/proc/{}/status", scheduler.pid())).expect("it runs");
    assert!(status.contains("Uid:\t65534"), "{status}");
    assert!(scheduler.counts(&cgroup).enqueues_governed > 0);
    scheduler.stops();
}
