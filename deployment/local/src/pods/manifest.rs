//! The Pod manifest that the manager's folder reads: what the Kubernetes API would say about the pod.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::PodSpec;
use crate::error::LocalError;

/// Writes the manifest to `path` in one step, so that a watcher never reads half of it.
pub fn write(path: &Path, spec: &PodSpec, uid: &str, node: &str) -> Result<(), LocalError> {
    // A name that does not end in .yaml is not a manifest, so the half-written file is never taken for one.
    let draft = path.with_extension("draft");
    fs::write(&draft, text(spec, uid, node)).map_err(LocalError::file(&draft))?;
    fs::rename(&draft, path).map_err(LocalError::file(path))
}

/// The manifest as YAML. Values are quoted as JSON strings, which YAML reads as they are.
fn text(spec: &PodSpec, uid: &str, node: &str) -> String {
    let labels: Vec<_> =
        spec.labels.iter().map(|(key, value)| format!("    {}: {}\n", json!(key), json!(value))).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("  labels:\n{}", labels.concat()) };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  uid: {uid}\n{labels}\
         spec:\n  nodeName: {node}\n  containers:\n    - name: {comm}\n      image: {image}\n\
         status:\n  phase: Running\n",
        name = json!(spec.name),
        namespace = json!(spec.namespace),
        uid = json!(uid),
        node = json!(node),
        comm = json!(spec.leader.comm),
        image = json!(format!("example.org/{}:1", spec.leader.comm)),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::pods::ProcessSpec;

    #[test]
    fn is_an_ordinary_pod() {
        let spec = PodSpec {
            name: "web-0".to_owned(),
            namespace: "default".to_owned(),
            labels: BTreeMap::from([
                ("app".to_owned(), "nginx".to_owned()),
                ("on".to_owned(), "true".to_owned()),
            ]),
            leader: ProcessSpec::new("nginx", 0),
            children: Vec::new(),
        };
        assert_eq!(
            text(&spec, "67746875-6c68-4000-8123-000000010000", "node-a"),
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: \"web-0\"\n  namespace: \"default\"\n  \
             uid: \"67746875-6c68-4000-8123-000000010000\"\n  labels:\n    \"app\": \"nginx\"\n    \"on\": \"true\"\n\
             spec:\n  nodeName: \"node-a\"\n  containers:\n    - name: \"nginx\"\n      \
             image: \"example.org/nginx:1\"\nstatus:\n  phase: Running\n"
        );
    }
}
