//! The pods of every test, as manifests in a folder, and a folder that is not there.

use std::fmt::Write as _;
use std::path::Path;

/// Two pods in `default`, one of them not scheduled, and one in `prod`; another one has ended.
pub(crate) fn write(folder: &Path) {
    let pods = [
        ("web-0", "default", "0a000000-0000-4000-8000-000000000001", "app: web", "node-1", "Running"),
        ("web-1", "default", "0a000000-0000-4000-8000-000000000002", "app: web", "", "Pending"),
        ("db-0", "prod", "0a000000-0000-4000-8000-000000000003", "app: db", "node-1", "Running"),
        ("far-0", "default", "0a000000-0000-4000-8000-000000000004", "app: far", "node-refusing", "Running"),
        ("job-0", "default", "0a000000-0000-4000-8000-000000000005", "app: job", "node-1", "Succeeded"),
    ];
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
    std::fs::write(folder.join("pods.yaml"), text).unwrap();
}
