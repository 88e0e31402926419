//! The pods of every test, as manifests in a folder, and their processes on node-1, planted.

use std::fmt::Write as _;
use std::path::Path;

use tempfile::TempDir;

/// Name, namespace, uid, label, node (or none) and phase.
type Pod = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

/// Two pods in `default`, one of them not scheduled, and one in `prod`; another one has ended.
pub(crate) fn write(folder: &Path) {
    let pods = [
        ("web-0", "default", "0a000000-0000-4000-8000-000000000001", "app: web", "node-1", "Running"),
        ("web-1", "default", "0a000000-0000-4000-8000-000000000002", "app: web", "", "Pending"),
        ("db-0", "prod", "0a000000-0000-4000-8000-000000000003", "app: db", "node-1", "Running"),
        ("far-0", "default", "0a000000-0000-4000-8000-000000000004", "app: far", "node-refusing", "Running"),
        ("job-0", "default", "0a000000-0000-4000-8000-000000000005", "app: job", "node-1", "Succeeded"),
    ];
    write_to(&folder.join("pods.yaml"), &pods);
}

/// Further pods: one on each node that does not tell what it would do, and one whose node has never heard of it.
pub(crate) fn write_spread(folder: &Path) {
    let pods = [
        ("lost-0", "prod", "0b000000-0000-4000-8000-000000000001", "app: db", "node-hanging", "Running"),
        ("lost-1", "prod", "0b000000-0000-4000-8000-000000000002", "app: db", "node-mumbling", "Running"),
        ("lost-2", "prod", "0b000000-0000-4000-8000-000000000003", "app: db", "node-refusing", "Running"),
        ("lost-3", "prod", "0b000000-0000-4000-8000-000000000004", "app: db", "node-bare", "Running"),
        ("lost-4", "prod", "0b000000-0000-4000-8000-000000000005", "app: db", "node-1", "Running"),
    ];
    write_to(&folder.join("spread.yaml"), &pods);
}

fn write_to(file: &Path, pods: &[Pod]) {
    let mut text = String::new();
    for (name, namespace, uid, label, node, phase) in pods {
        let node = if node.is_empty() { String::new() } else { format!("spec: {{nodeName: {node}}}\n") };
        write!(
            text,
            "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  uid: {uid}\n  \
             labels: {{{label}}}\n{node}status: {{phase: {phase}}}\n"
        )
        .unwrap();
    }
    std::fs::write(file, text).unwrap();
}

/// A proc file system that stands still:
///
/// ```text
/// web-0   10 pause   42 nginx (thread 43)   50 nginx-worker   55 redis
/// db-0    60 postgres
/// no pod  1 init
/// ```
pub(crate) fn processes() -> TempDir {
    let tree = TempDir::new().unwrap();
    let web = "0a000000-0000-4000-8000-000000000001";
    let db = "0a000000-0000-4000-8000-000000000003";
    for (pid, pod, name) in [
        (1, None, "init"),
        (10, Some(web), "pause"),
        (42, Some(web), "nginx"),
        (50, Some(web), "nginx-worker"),
        (55, Some(web), "redis"),
        (60, Some(db), "postgres"),
    ] {
        let dir = tree.path().join(pid.to_string());
        let cgroup = pod.map_or("/init.scope".to_owned(), |uid| format!("/kubepods/burstable/pod{uid}/x"));
        std::fs::create_dir_all(dir.join("task")).unwrap();
        std::fs::write(dir.join("cgroup"), format!("0::{cgroup}\n")).unwrap();
        std::fs::write(dir.join("stat"), stat(pid, name)).unwrap();
    }
    let thread = tree.path().join("42/task/43");
    std::fs::create_dir_all(&thread).unwrap();
    std::fs::write(thread.join("stat"), stat(43, "nginx")).unwrap();
    tree
}

fn stat(tid: u32, name: &str) -> String {
    format!("{tid} ({name}) S 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 {tid} 0 0\n")
}
