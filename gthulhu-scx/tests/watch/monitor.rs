//! `monitor` as a person or a program at the other end of a pipe meets it.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Lines};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::actors::{Idle, start_time};
use crate::pods::{CONTAINER, Pods, skipped};
use crate::sources::source;
use crate::table::{A, B};

/// Everything that loading the programs takes, and nothing else.
pub(crate) const NEEDED: &str = "-all,+bpf,+perfmon";

/// The program with this verb, for pods below this root, with these capabilities.
pub(crate) fn monitor(pods: &Pods, capabilities: &str) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--bounding-set={capabilities}"))
        .arg("--inh-caps=-all")
        .args([env!("CARGO_BIN_EXE_gthulhu-scx"), "monitor"])
        .env("SCX_NODE_CGROUP_ROOT", pods.root())
        .stdin(Stdio::null());
    command
}

/// Whether it can work here; else says so.
pub(crate) fn works(pods: &Pods, test: &str) -> bool {
    let works = source(pods.root().to_owned()).map(drop);
    works.map_err(|why| skipped(test, &why.to_string())).is_ok()
}

fn appeared(idle: &Idle, pod: &str) -> Value {
    json!({
        "kind": "appeared", "pid": idle.pid(), "startTime": start_time(idle.pid()), "parent": std::process::id(),
        "command": "sleep", "podID": pod, "containerID": CONTAINER,
    })
}

#[test]
fn once_it_lists_the_processes_of_pods_and_ends() {
    let test = "once_it_lists_the_processes_of_pods_and_ends";
    let Some(pods) = Pods::new(test) else { return };
    let idle = [A, B].map(|pod| {
        let idle = Idle::start();
        pods.container(pod).add(idle.pid());
        (idle, pod)
    });
    if !works(&pods, test) {
        return;
    }
    let output = monitor(&pods, NEEDED).arg("--once").output().expect("setpriv runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let mut expected: Vec<&(Idle, &str)> = idle.iter().collect();
    expected.sort_by_key(|(idle, _)| idle.pid());
    let expected: Vec<Value> = expected.iter().map(|(idle, pod)| appeared(idle, pod)).collect();
    assert_eq!(lines, expected, "{said}");
}

/// A running one; killed when the test is done with it.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("setpriv runs");
        let out = child.stdout.take().expect("standard output is a pipe");
        Self { child, lines: BufReader::new(out).lines() }
    }

    fn says(&mut self) -> Value {
        let line = self.lines.next().expect("it goes on").expect("text");
        serde_json::from_str(&line).expect("each line is JSON")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_tells_what_happens_as_it_happens_until_it_is_stopped() {
    let test = "it_tells_what_happens_as_it_happens_until_it_is_stopped";
    let Some(pods) = Pods::new(test) else { return };
    let container = pods.container(A);
    let first = Idle::start();
    container.add(first.pid());
    if !works(&pods, test) {
        return;
    }
    let mut running = Running::start(monitor(&pods, NEEDED));
    assert_eq!(running.says(), json!({"kind": "anew"}));
    assert_eq!(running.says(), appeared(&first, A));
    // It has what it needs and gives up the right to it.
    let status = fs::read_to_string(format!("/proc/{}/status", running.child.id())).expect("it runs");
    for set in ["CapEff", "CapPrm", "CapInh"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000\n")), "{status}");
    }
    let second = Idle::start();
    let gone = json!({"kind": "gone", "pid": second.pid(), "startTime": start_time(second.pid())});
    container.nested("new").add(second.pid());
    assert_eq!(running.says(), appeared(&second, A));
    drop(second);
    assert_eq!(running.says(), gone);
    kill_process(Pid::from_child(&running.child), Signal::TERM).expect("our own child");
    assert!(running.lines.next().is_none());
    assert_eq!(running.child.wait().expect("our own child").code(), Some(0));
}

#[test]
fn without_the_right_it_says_which_one_is_missing() {
    let test = "without_the_right_it_says_which_one_is_missing";
    let Some(pods) = Pods::new(test) else { return };
    let _root = pods.container(A);
    if !works(&pods, test) {
        return;
    }
    for (capabilities, missing) in
        [("-all", "CAP_BPF, CAP_PERFMON"), ("-all,+bpf", "CAP_PERFMON"), ("-all,+perfmon", "CAP_BPF")]
    {
        let output = monitor(&pods, capabilities).arg("--once").output().expect("setpriv runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(77), "{said}");
        assert!(said.contains(&format!("missing capability {missing}\n")), "{said}");
    }
}

/// As `deployment/systemd/gthulhu-monitor.service` starts it.
#[test]
fn an_ordinary_user_with_the_two_rights_is_enough_and_a_supervisor_hears_when_it_is_ready() {
    let test = "an_ordinary_user_with_the_two_rights_is_enough_and_a_supervisor_hears_when_it_is_ready";
    let Some(pods) = Pods::new(test) else { return };
    let _root = pods.container(A);
    if !works(&pods, test) {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (program, notify) = (dir.path().join("gthulhu-scx"), dir.path().join("notify"));
    fs::copy(env!("CARGO_BIN_EXE_gthulhu-scx"), &program).expect("there is room for it");
    let supervisor = UnixDatagram::bind(&notify).expect("the directory is ours");
    supervisor.set_read_timeout(Some(PATIENCE)).expect("a socket has a timeout");
    for (path, mode) in [(dir.path(), 0o755), (&program, 0o755), (&notify, 0o777)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    }
    let heard = || {
        let mut word = [0; 32];
        let length = supervisor.recv(&mut word).expect("it says something");
        String::from_utf8_lossy(&word[..length]).into_owned()
    };
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65532", "--regid=65532", "--clear-groups", "--no-new-privs"])
        .args(["--inh-caps", "--ambient-caps", "--bounding-set"].map(|set| format!("{set}={NEEDED}")))
        .arg(&program)
        .arg("monitor")
        .env("SCX_NODE_CGROUP_ROOT", pods.root())
        .env("NOTIFY_SOCKET", &notify);
    let mut running = Running::start(command);
    assert_eq!(heard(), "READY=1");
    assert_eq!(running.says(), json!({"kind": "anew"}));
    kill_process(Pid::from_child(&running.child), Signal::TERM).expect("our own child");
    assert_eq!(heard(), "STOPPING=1");
    assert_eq!(running.child.wait().expect("our own child").code(), Some(0));
}
