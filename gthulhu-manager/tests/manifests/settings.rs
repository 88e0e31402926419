//! Variables of the manifests are settings of the programs, and what they name is in the pod.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::objects::{all, root};

/// Variables that are not of the form `PROGRAM_SECTION_KEY`.
const OTHERS: [&str; 6] = [
    "NODE_NAME",
    "TZ",
    "HOME",
    "MALLOC_ARENA_MAX",
    "MONGO_INITDB_ROOT_USERNAME",
    "MONGO_INITDB_ROOT_PASSWORD",
];

/// The variables of a shipped configuration file, sections that it only shows included.
fn variables(prefix: &str, file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().parent().unwrap().join("config").join(file)).unwrap();
    let mut section = String::new();
    let mut found = BTreeSet::new();
    for line in text.lines().map(|line| line.trim_start_matches("# ")) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) {
            found.insert(format!("{prefix}_{section}_{key}").to_uppercase());
        }
    }
    found
}

#[test]
fn every_variable_is_a_setting() {
    let known: BTreeSet<String> =
        [("MANAGER", "manager_config.toml"), ("DM", "dm_config.toml"), ("SCX", "scx_config.toml")]
            .into_iter()
            .flat_map(|(prefix, file)| variables(prefix, file))
            .collect();
    let mut seen = 0;
    for object in all() {
        for container in object.pod().iter().flat_map(|pod| &pod.containers) {
            for variable in container.env.iter().flatten() {
                let known = known.contains(&variable.name) || OTHERS.contains(&variable.name.as_str());
                assert!(known, "{}: {}: no program knows {}", object.file, container.name, variable.name);
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen} variables were looked at");
}

/// Else Kubernetes adds variables for each Service, and those of a Service called manager begin with MANAGER_.
#[test]
fn no_pod_gets_variables_of_services() {
    for object in all() {
        let links = object.pod().map(|pod| pod.enable_service_links);
        assert!(links.is_none_or(|links| links == Some(false)), "{}: {}", object.file, object.title());
    }
}

#[test]
fn every_path_that_a_variable_names_is_mounted() {
    for object in all() {
        for container in object.pod().iter().flat_map(|pod| &pod.containers) {
            let mounts: Vec<&str> =
                container.volume_mounts.iter().flatten().map(|mount| mount.mount_path.as_str()).collect();
            for variable in container.env.iter().flatten() {
                let Some(path) = variable.value.as_deref().filter(|value| value.starts_with('/')) else {
                    continue;
                };
                let held = mounts.iter().any(|mount| Path::new(path).starts_with(mount));
                // What everybody may write to is mounted as well.
                assert!(held, "{}: {}: {}={path}", object.file, container.name, variable.name);
            }
        }
    }
}
