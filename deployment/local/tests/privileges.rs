//! How little a decision maker and a scheduler need of a node, and that they need this much: what `deployment/PRIVILEGES.md`
//! claims of namespaces and mounts, on real processes in real cgroups.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gthulhu_local::background::{arguments, run_to_end};
use gthulhu_local::error::LocalError;
use gthulhu_local::http::Api;
use gthulhu_local::pods::cgroup::Base;
use gthulhu_local::pods::{Pod, PodSpec, ProcessSpec};
use gthulhu_local::ports::Port;
use gthulhu_local::{programs, wait};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;

/// Who our containers run as.
const NOBODY: u32 = 65532;

/// What a container of the manifests is: nobody, without a capability, without a way to one.
const CONFINED: [&str; 8] = [
    "setpriv",
    "--reuid=65532",
    "--regid=65532",
    "--clear-groups",
    "--no-new-privs",
    "--inh-caps=-all",
    "--ambient-caps=-all",
    "--bounding-set=-all",
];

/// A place for cgroups, if we are root and there is one; else a line that says so.
#[expect(clippy::print_stdout, reason = "the line is counted by whoever runs the tests")]
fn base(test: &str) -> Option<Base> {
    let why = match Base::find() {
        Ok(base) if rustix::process::geteuid().is_root() => return Some(base),
        Ok(_) => "only root can become somebody else".to_owned(),
        Err(LocalError::Unsupported(why)) => why,
        Err(error) => panic!("{error}"),
    };
    println!("SKIPPED {test}: {why}");
    None
}

fn pod(base: &Base, dir: &Path, name: &str) -> Pod {
    let spec = PodSpec {
        name: name.to_owned(),
        namespace: "core".to_owned(),
        labels: [("app".to_owned(), name.to_owned())].into(),
        leader: ProcessSpec::new(name, 1),
        children: Vec::new(),
    };
    Pod::start(base, dir, dir, "node-a", spec).expect("the pod starts")
}

/// A decision maker that ends with this, and whatever wraps it: both are in a process group of their own. (A wrapper that is
/// killed alone takes nobody along who has become somebody else: that clears the signal that tells of a parent's death.)
struct Dm(Child);

impl Drop for Dm {
    fn drop(&mut self) {
        // Either fails when it has ended by itself, and then there is nothing to do.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// Starts a decision maker by `wrapper` and asks it for the rows of a pod's processes.
async fn rows_seen(wrapper: &[&str], base: &Base, pod: &Pod) -> Result<usize, LocalError> {
    let place = tempfile::tempdir().expect("there is room");
    let dir = place.path();
    fs::set_permissions(dir, Permissions::from_mode(0o755)).expect("it is ours");
    run_to_end("gthulhu-manager", &arguments("init", "--dir", &dir.join("keys")))?;
    let key = dir.join("dm-token.key");
    fs::copy(dir.join("keys/keys/dm-token.key"), &key).expect("it was made");
    fs::create_dir(dir.join("own")).expect("there is room");
    let give = |path: &Path| -> io::Result<()> { chown(path, Some(NOBODY), Some(NOBODY)) };
    give(&key).and_then(|()| give(&dir.join("own"))).expect("root may");
    let port = Port::take()?;
    let config = format!(
        "[server]\nhost = \"127.0.0.1:{}\"\n\n[state]\ndir = {}\n\n[token]\nrsa_private_key_path = {}\n\n\
         [node]\ncgroup_root = {}\nfresh = \"0s\"\n\n[feed]\nsocket = {}\n",
        port.number(),
        json!(dir.join("own/state")),
        json!(key),
        json!(base.pods_root()),
        json!(dir.join("own/feed.sock")),
    );
    fs::write(dir.join("dm.toml"), config).expect("there is room");

    // Our target directory may be closed to others.
    let program = dir.join("gthulhu-dm");
    fs::copy(programs::find("gthulhu-dm")?, &program).expect("there is room");
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(&program).args(["serve", "--config"]).arg(dir.join("dm.toml"));
    let dm = Dm(command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("it starts"));
    let api = Api::new(&format!("http://127.0.0.1:{}", port.number()));
    wait::until(async || match api.get("/readyz").await {
        Ok(answer) if answer.status == 200 => Ok(Ok(())),
        Ok(answer) => Ok(Err(answer.text())),
        Err(error) => Ok(Err(error.to_string())),
    })
    .await?;
    let public = fs::read_to_string(dir.join("keys/keys/dm-token.pub")).expect("it was made");
    let token = api.call("POST", "/api/v1/auth/token", &json!({"public_key": public})).await?.data()?;
    let api = api.with_token(token["token"].as_str().expect("a token is a text"));
    let intents = json!({"intents": [{"podID": pod.uid(), "priority": 3}]});
    api.call("POST", "/api/v1/intents", &intents).await?.done()?;
    let told = api.get("/api/v1/scheduling/strategies").await?.json()?;
    drop(dm);
    Ok(told["scheduling"].as_array().map_or(0, Vec::len))
}

#[tokio::test]
async fn a_decision_maker_is_nobody_and_needs_no_capability() {
    let Some(base) = base("a_decision_maker_is_nobody_and_needs_no_capability") else { return };
    let dir = tempfile::tempdir().unwrap();
    let pod = pod(&base, dir.path(), "web");
    // The leader and its thread; `pause` is never governed.
    assert_eq!(rows_seen(&CONFINED, &base, &pod).await.unwrap(), 2);
}

#[tokio::test]
async fn a_decision_maker_sees_as_far_as_its_pid_namespace() {
    let Some(base) = base("a_decision_maker_sees_as_far_as_its_pid_namespace") else { return };
    let dir = tempfile::tempdir().unwrap();
    let pod = pod(&base, dir.path(), "web");
    let namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let wrapper: Vec<&str> = namespace.into_iter().chain(CONFINED).collect();
    assert_eq!(rows_seen(&wrapper, &base, &pod).await.unwrap(), 0);
}

/// What a container's own mount of the cgroup tree shows, from within a pod: nothing of another.
#[test]
fn a_cgroup_namespace_shows_its_own_tree_only() {
    let Some(base) = base("a_cgroup_namespace_shows_its_own_tree_only") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (pod(&base, dir.path(), "own"), pod(&base, dir.path(), "other"));
    let mount = "echo $$ >\"$0/cgroup.procs\" && exec unshare --cgroup --mount sh -c \
                 'mount -t cgroup2 none /mnt && find /mnt -name cgroup.procs'";
    let output = Command::new("sh").args(["-c", mount]).arg(own.container()).output().unwrap();
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(seen.lines().collect::<Vec<_>>(), ["/mnt/cgroup.procs"], "{output:?}");
    assert!(other.container().join("cgroup.procs").exists(), "the node's own mount shows it");
}
