//! The profile `restricted` of the Pod Security Standards, which holds `baseline`, and three rules of our own: a root file
//! system that nobody writes to, limits, and images of one version.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec, SeccompProfile, Volume};

/// Who breaks a rule, a container or the whole pod, and by what.
pub(crate) type Breach = (String, String);

/// Kinds of volumes that are allowed; everything else is named by its kind.
fn volume(volume: &Volume) -> Option<String> {
    let fields = serde_json::to_value(volume).unwrap();
    let allowed = [
        "name",
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ];
    if let Some(host) = &volume.host_path {
        return Some(format!("hostPath {}", host.path));
    }
    fields.as_object().unwrap().keys().find(|kind| !allowed.contains(&kind.as_str())).cloned()
}

/// Every breach of the pod.
pub(crate) fn breaches(pod: &PodSpec) -> BTreeSet<Breach> {
    let mut found = BTreeSet::new();
    let mut pod_wide = |what: &str| found.insert(("pod".to_owned(), what.to_owned()));
    for (on, what) in
        [(pod.host_pid, "hostPID"), (pod.host_ipc, "hostIPC"), (pod.host_network, "hostNetwork")]
    {
        if on == Some(true) {
            pod_wide(what);
        }
    }
    let context = pod.security_context.clone().unwrap_or_default();
    if context.sysctls.is_some_and(|sysctls| !sysctls.is_empty()) {
        pod_wide("sysctls");
    }
    if context.windows_options.is_some() || context.se_linux_options.is_some() {
        pod_wide("options of a security module");
    }
    if context.supplemental_groups.iter().flatten().any(|group| *group == 0) {
        pod_wide("group root");
    }
    let hosts: Vec<(&Volume, String)> =
        pod.volumes.iter().flatten().filter_map(|one| Some((one, volume(one)?))).collect();
    for container in pod.containers.iter().chain(pod.init_containers.iter().flatten()) {
        for what in container_breaches(pod, container) {
            found.insert((container.name.clone(), what));
        }
        for mount in container.volume_mounts.iter().flatten() {
            for (_, what) in hosts.iter().filter(|(volume, _)| volume.name == mount.name) {
                let how = if mount.read_only == Some(true) { "to read" } else { "to write" };
                found.insert((container.name.clone(), format!("{what} {how}")));
            }
        }
    }
    found
}

fn container_breaches(pod: &PodSpec, container: &Container) -> Vec<String> {
    let mut found = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            found.push(what.to_owned());
        }
    };
    let of_pod = pod.security_context.clone().unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    must(own.privileged != Some(true), "privileged");
    must(own.allow_privilege_escalation == Some(false), "may gain privileges");
    let user = own.run_as_user.or(of_pod.run_as_user);
    let not_root = own.run_as_non_root.or(of_pod.run_as_non_root) == Some(true);
    // The profile asks for the promise; a user that is named also keeps an image from deciding.
    must(not_root && user.is_some_and(|user| user != 0), "runs as root");
    let seccomp =
        |profile: &SeccompProfile| ["RuntimeDefault", "Localhost"].contains(&profile.type_.as_str());
    must(
        own.seccomp_profile.or(of_pod.seccomp_profile).is_some_and(|one| seccomp(&one)),
        "no seccomp profile",
    );
    must(own.proc_mount.is_none_or(|mount| mount == "Default"), "procMount");
    must(own.se_linux_options.is_none() && own.windows_options.is_none(), "options of a security module");
    let armor = own.app_armor_profile.or(of_pod.app_armor_profile);
    must(armor.is_none_or(|profile| profile.type_ != "Unconfined"), "no AppArmor profile");
    let ports = container.ports.iter().flatten();
    must(ports.into_iter().all(|port| port.host_port.is_none()), "hostPort");
    must(own.read_only_root_filesystem == Some(true), "writes to its image");
    let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    must(limits.is_some_and(|limits| limits.contains_key("memory")), "no limit of memory");
    let tag = container.image.as_deref().and_then(|image| image.rsplit_once(':')).map(|(_, tag)| tag);
    must(tag.is_some_and(|tag| tag != "latest"), "an image of any version");
    let capabilities = own.capabilities.unwrap_or_default();
    must(capabilities.drop.iter().flatten().any(|one| one == "ALL"), "keeps capabilities");
    let added = capabilities.add.unwrap_or_default();
    found.extend(added.iter().filter(|one| *one != "NET_BIND_SERVICE").map(|one| format!("CAP_{one}")));
    found
}

/// Each rule is broken once, and only that is found.
#[test]
fn every_breach_is_found() {
    let good = serde_json::json!({
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "c", "image": "i:1", "resources": {"limits": {"memory": "1Mi"}},
            "ports": [{"containerPort": 1}], "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]}}}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    });
    let with = |place: &str, value: serde_json::Value| {
        let mut pod = good.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        match pod.pointer_mut(parent).unwrap() {
            serde_json::Value::Array(all) => all[key.parse::<usize>().unwrap()] = value,
            object => object[key] = value,
        }
        breaches(&serde_json::from_value(pod).unwrap()).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(with("/hostPID", false.into()), []);
    let context = "/containers/0/securityContext";
    for (place, value, who, what) in [
        ("/hostPID".to_owned(), true.into(), "pod", "hostPID"),
        ("/hostIPC".to_owned(), true.into(), "pod", "hostIPC"),
        ("/hostNetwork".to_owned(), true.into(), "pod", "hostNetwork"),
        (
            "/securityContext/sysctls".to_owned(),
            serde_json::json!([{"name": "a", "value": "b"}]),
            "pod",
            "sysctls",
        ),
        ("/securityContext/supplementalGroups".to_owned(), serde_json::json!([0]), "pod", "group root"),
        ("/securityContext/runAsNonRoot".to_owned(), false.into(), "c", "runs as root"),
        ("/securityContext/runAsUser".to_owned(), 0.into(), "c", "runs as root"),
        ("/securityContext/seccompProfile/type".to_owned(), "Unconfined".into(), "c", "no seccomp profile"),
        (
            "/volumes/0".to_owned(),
            serde_json::json!({"name": "v", "hostPath": {"path": "/"}}),
            "c",
            "hostPath / to write",
        ),
        (
            "/volumes/0".to_owned(),
            serde_json::json!({"name": "v", "nfs": {"path": "/", "server": "s"}}),
            "c",
            "nfs to write",
        ),
        ("/containers/0/image".to_owned(), "i".into(), "c", "an image of any version"),
        ("/containers/0/image".to_owned(), "i:latest".into(), "c", "an image of any version"),
        (
            "/containers/0/resources/limits".to_owned(),
            serde_json::json!({"cpu": "1"}),
            "c",
            "no limit of memory",
        ),
        ("/containers/0/ports/0/hostPort".to_owned(), 1.into(), "c", "hostPort"),
        (format!("{context}/privileged"), true.into(), "c", "privileged"),
        (format!("{context}/allowPrivilegeEscalation"), true.into(), "c", "may gain privileges"),
        (format!("{context}/readOnlyRootFilesystem"), false.into(), "c", "writes to its image"),
        (format!("{context}/procMount"), "Unmasked".into(), "c", "procMount"),
        (
            format!("{context}/appArmorProfile"),
            serde_json::json!({"type": "Unconfined"}),
            "c",
            "no AppArmor profile",
        ),
        (
            format!("{context}/seLinuxOptions"),
            serde_json::json!({"type": "t"}),
            "c",
            "options of a security module",
        ),
        (format!("{context}/capabilities/drop"), serde_json::json!([]), "c", "keeps capabilities"),
        (format!("{context}/capabilities/add"), serde_json::json!(["SYS_ADMIN"]), "c", "CAP_SYS_ADMIN"),
    ] {
        assert_eq!(with(&place, value), [(who.to_owned(), what.to_owned())], "{place}");
    }
}
