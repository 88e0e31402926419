//! The table that `run --table` serves, as a program written in C meets it: real processes in real cgroups, the real socket,
//! and `bindings/examples/lookup.c`. No scheduler is attached: what is due to a task does not depend on that.
//!
//! Needs a writable cgroup tree of version 2; where there is none the test says loudly that it was skipped.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

#[path = "../../../gthulhu-lib/tests/real_processes/actors.rs"]
#[expect(dead_code, reason = "the library's other tests use the rest")]
mod actors;
#[path = "../../../gthulhu-lib/tests/real_processes/pods.rs"]
#[expect(dead_code, reason = "the library's other tests use the rest")]
mod pods;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::intent::Limits;
use gthulhu_lib::process::ProcessId;
use gthulhu_lib::process::cgroup::{OwnDepth, Roots};
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::strategy::table::{PID_MAX_LIMIT, TableWriter};
use gthulhu_lib::wire::IntentBody;
use gthulhu_scx::cgroups::{Mount, Tree};
use gthulhu_scx::govern::Governor;
use gthulhu_scx::table::Server;
use gthulhu_scx::targets::{Builder, Target};

use actors::{Idle, start_time};
use pods::Pods;

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const POLL: Duration = Duration::from_secs(1);

/// A clock that the test moves.
#[derive(Clone)]
struct Clock(Arc<Mutex<Instant>>);

impl Clock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, time: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

/// A governor of the real machine, whose pods are below this root.
fn governor(root: &str, clock: &Clock) -> Governor {
    let proc_root = PathBuf::from("/proc");
    let walk = WalkOptions { proc_root: proc_root.clone(), cgroup_root: Some(root.to_owned()) };
    let engine = Engine::new(Box::new(ProcWalk::new(walk).unwrap()), EngineOptions::default());
    let tree =
        Tree::new(Mount::find(Path::new("")).unwrap(), Roots::new(Some(root), OwnDepth::default()).unwrap());
    let told = clock.clone();
    Governor::new(engine, tree, proc_root, POLL, Arc::new(move || told.now()))
}

/// `lookup.c`, compiled against the library as it is installed.
fn lookup(dir: &Path) -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (prefix, program) = (dir.join("prefix"), dir.join("lookup"));
    let mut install = Command::new(repository.join("tools/install.sh"));
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let installed = install.arg("library").env("PREFIX", &prefix).env("PROFILE", profile).output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let compiled = Command::new("cc")
        .arg(repository.join("bindings/examples/lookup.c"))
        .arg("-o")
        .arg(&program)
        .arg(format!("-I{}", prefix.join("include").display()))
        .arg(prefix.join("lib/libgthulhu.a"))
        .args(["-lgcc_s", "-lpthread", "-ldl", "-lm"])
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    program
}

fn body(priority: i64) -> IntentBody {
    IntentBody { priority, execution_time: 5_000_000, ..IntentBody::default() }
}

#[test]
fn lookup_in_c_finds_what_is_due_by_pod_by_cgroup_and_by_number() {
    let Some(pods) = Pods::new("lookup_in_c_finds_what_is_due_by_pod_by_cgroup_and_by_number") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let lookup = lookup(dir.path());
    let (container, slice) = (pods.container(POD), pods.outside("slice"));
    let [of_pod, of_slice, named, stranger] = [(); 4].map(|()| Idle::start());
    container.add(of_pod.pid());
    slice.add(of_slice.pid());

    let mut builder = Builder::new(Limits::default());
    let id = ProcessId { pid: named.pid(), start: start_time(named.pid()) };
    builder.add(Target::Pod, IntentBody { pod_id: POD.to_owned(), ..body(3) }).unwrap();
    builder.add(Target::Cgroup(format!("{}/outside/slice", pods.top())), body(4)).unwrap();
    builder.add(Target::Process(id), body(5)).unwrap();

    let clock = Clock(Arc::new(Mutex::new(Instant::now())));
    let mut governor = governor(pods.root(), &clock);
    let socket = dir.path().join("run/table.sock");
    let table = governor.share(TableWriter::try_new(PID_MAX_LIMIT).unwrap());
    let server = Server::bind(&socket, table).unwrap();
    server.serve().unwrap();
    governor.want(builder.finish().unwrap());
    governor.work_for_readers().unwrap();

    let says = |idle: &Idle| {
        let output = Command::new(&lookup).arg(idle.pid().to_string()).arg(&socket).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), said.trim_start_matches(&format!("{}: ", idle.pid())).trim().to_owned())
    };
    let strategy = |priority| (Some(0), format!("priority {priority}, slice 5000000 ns"));
    let none = (Some(2), "no strategy".to_owned());
    assert_eq!([&of_pod, &of_slice, &named].map(says), [strategy(3), strategy(4), strategy(5)]);
    assert_eq!(says(&stranger), none);

    // It follows what becomes of them, look by look.
    slice.add(stranger.pid());
    container.add(of_slice.pid());
    clock.pass(POLL * 2);
    governor.work_for_readers().unwrap();
    assert_eq!([&of_slice, &stranger].map(says), [strategy(3), strategy(4)]);

    drop(server);
    let (code, said) = says(&of_pod);
    assert!(code == Some(1) && said.contains("No such file"), "{said}");
}
