//! The governor over maps in memory, a planted tree, a planted proc file system and a clock that the test moves.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use gthulhu_lib::engine::EngineOptions;
use gthulhu_lib::intent::Limits;
use gthulhu_lib::process::cgroup::{OwnDepth, Roots};
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::process::{Comm, ProcessId};
use gthulhu_lib::strategy::Resolved;
use gthulhu_lib::wire::IntentBody;

use super::*;
use crate::cgroups::Mount;
use crate::maps::fake::FakeMaps;
use crate::maps::{CgroupRule, PidRule, Verdict};
use crate::targets::{Builder, Target};

mod cgroups;
mod pacing;
mod processes;
mod readers;

const A: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const B: &str = "31e4e721-a5a0-4a3c-8a1b-93d3d1c4f0aa";

/// A machine of files, with a governor and the maps that it fills.
struct Rig {
    dir: tempfile::TempDir,
    governor: Governor,
    maps: FakeMaps,
    clock: Arc<Mutex<Instant>>,
}

impl Rig {
    fn new(hybrid: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (proc_root, mount) = (dir.path().join("proc"), dir.path().join("cgroup"));
        for path in [&proc_root, &mount] {
            fs::create_dir(path).unwrap();
        }
        plant_process(&proc_root, 1, "init", "/");
        let walk = ProcWalk::new(WalkOptions { proc_root: proc_root.clone(), cgroup_root: None }).unwrap();
        let engine = Engine::new(Box::new(walk), EngineOptions { pid_max: 32_768 });
        let roots = Roots::new(None, OwnDepth::default()).unwrap();
        let tree = Tree::new(Mount { path: mount, hybrid }, roots);
        let clock = Arc::new(Mutex::new(Instant::now()));
        let told = Arc::clone(&clock);
        let clock_of = Arc::new(move || *told.lock().unwrap_or_else(PoisonError::into_inner));
        let governor = Governor::new(engine, tree, proc_root, Duration::from_secs(1), clock_of);
        Self { dir, governor, maps: FakeMaps::default(), clock }
    }

    fn pass(&self, milliseconds: u64) {
        *self.clock.lock().unwrap() += Duration::from_millis(milliseconds);
    }

    fn now(&self) -> Instant {
        *self.clock.lock().unwrap()
    }

    /// Works now, as the loop does: only if something is due.
    fn work(&mut self) {
        if self.governor.due() <= self.now() {
            self.governor.work(&mut self.maps).unwrap();
        }
    }

    fn hear(&mut self, event: &Event) {
        self.governor.hear(event, &mut self.maps).unwrap();
    }

    fn want(&mut self, entries: Vec<(Target, IntentBody)>) {
        let mut builder = Builder::new(Limits::default());
        for (target, body) in entries {
            builder.add(target, body).unwrap();
        }
        self.governor.want(builder.finish().unwrap());
    }

    /// Wants this and gets it.
    fn hold(&mut self, entries: Vec<(Target, IntentBody)>) {
        self.pass(1000);
        self.want(entries);
        self.work();
    }

    fn make_cgroup(&self, path: &str) -> u64 {
        let directory = self.dir.path().join("cgroup").join(path.trim_start_matches('/'));
        fs::create_dir_all(&directory).unwrap();
        fs::metadata(directory).unwrap().ino()
    }

    fn remove_cgroup(&self, path: &str) {
        fs::remove_dir_all(self.dir.path().join("cgroup").join(path.trim_start_matches('/'))).unwrap();
    }

    fn plant(&self, pid: u32, comm: &str, cgroup: &str) {
        plant_process(&self.dir.path().join("proc"), pid, comm, cgroup);
    }

    fn end(&self, pid: u32) {
        fs::remove_dir_all(self.dir.path().join(format!("proc/{pid}"))).unwrap();
    }

    fn generation(&self) -> u64 {
        self.maps.generation
    }
}

/// A process that started at a tick a hundred times its number.
fn plant_process(proc_root: &Path, pid: u32, comm: &str, cgroup: &str) {
    let dir = proc_root.join(pid.to_string());
    fs::create_dir_all(dir.join("task")).unwrap();
    fs::write(dir.join("cgroup"), format!("0::{cgroup}\n")).unwrap();
    let stat = format!("{pid} ({comm}) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 {} 0\n", start(pid));
    fs::write(dir.join("stat"), stat).unwrap();
}

fn start(pid: u32) -> u64 {
    u64::from(pid) * 100
}

fn pod(uid: &str, priority: i64, regex: &str) -> (Target, IntentBody) {
    (Target::Pod, IntentBody { pod_id: uid.to_owned(), ..body(priority, regex) })
}

fn cgroup(path: &str, priority: i64, regex: &str) -> (Target, IntentBody) {
    (Target::Cgroup(path.to_owned()), body(priority, regex))
}

fn process(pid: u32, priority: i64) -> (Target, IntentBody) {
    (Target::Process(ProcessId { pid, start: start(pid) }), body(priority, ""))
}

fn body(priority: i64, regex: &str) -> IntentBody {
    IntentBody { priority, command_regex: regex.to_owned(), ..IntentBody::default() }
}

fn of_pod(uid: &str) -> String {
    format!("/kubepods/burstable/pod{uid}")
}

fn strategy(priority: i64) -> Resolved {
    Resolved::clamped(priority, 0)
}

fn fixed(priority: i64) -> CgroupRule {
    CgroupRule::Fixed(strategy(priority))
}

fn pid_rule(pid: u32, priority: i64) -> PidRule {
    PidRule { tgid: pid, start_ticks: start(pid), resolved: strategy(priority) }
}

fn comm(name: &str) -> Comm {
    Comm::new(name.as_bytes())
}

fn governed(priority: i64) -> Verdict {
    Verdict::Governed(strategy(priority))
}
