//! The manifests for kind on a real API server: every object is taken and kept as it is written, the Job's program makes the
//! Secrets with its own account's rights and no more, and manager and decision maker find each other with the settings, the
//! Secrets and the names of their manifests.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use gthulhu_http::testkit::TestClient;
use gthulhu_local::background::run_to_end;
use gthulhu_local::daemon::Daemon;
use gthulhu_local::error::LocalError;
use gthulhu_local::http::Api as Caller;
use gthulhu_local::ports::Port;
use gthulhu_local::state::StateDir;
use serde_json::{Value, json};

use super::api::Api;
use super::cluster::Cluster;
use super::servers::Servers;
use super::world::until;

const NAMESPACE: &str = "gthulhu-api-local";
const MANAGER: (&str, &str) = (NAMESPACE, "manager");
const SECRETS: (&str, &str) = (NAMESPACE, "gthulhu-secrets");

/// Where the decision maker listens here; its pod has this address.
const ADDRESS: &str = "127.0.0.4";

fn deployment() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment")
}

/// Applies every manifest and gives back the objects, by kind and name, as the API server has them.
async fn apply_all(cluster: &Cluster) -> BTreeMap<String, Value> {
    let mut objects = BTreeMap::new();
    for folder in ["mongo", "manager", "decisonmaker", "pod"] {
        let entries = fs::read_dir(deployment().join("kind").join(folder)).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            let written: Vec<Value> =
                serde_saphyr::from_multiple(&fs::read_to_string(&file).unwrap()).unwrap();
            let kept = cluster.apply(&file).await;
            for (written, kept) in written.into_iter().zip(kept) {
                let lost = lost(&written, &kept, "");
                assert_eq!(lost, None, "{}: the API server did not keep it", file.display());
                let word = |key: &Value| key.as_str().unwrap().to_owned();
                objects.insert(
                    format!("{} {}", word(&written["kind"]), word(&written["metadata"]["name"])),
                    written,
                );
            }
        }
    }
    objects
}

/// The first field that the server did not keep. Not counted: what is newer than it, and an empty list, which it does not write.
fn lost(written: &Value, kept: &Value, path: &str) -> Option<String> {
    const NEWER: [&str; 1] = ["/spec/ttlSecondsAfterFinished"];
    match (written, kept) {
        (Value::Object(written), Value::Object(kept)) => written.iter().find_map(|(key, value)| {
            let path = format!("{path}/{key}");
            match kept.get(key) {
                _ if NEWER.contains(&path.as_str()) || *value == json!([]) || *value == json!("") => None,
                Some(kept) => lost(value, kept, &path),
                None => Some(path),
            }
        }),
        (Value::Array(written), Value::Array(kept)) if written.len() <= kept.len() => {
            let pairs = written.iter().zip(kept).enumerate();
            pairs.into_iter().find_map(|(i, (written, kept))| lost(written, kept, &format!("{path}/{i}")))
        }
        (written, kept) => (written != kept).then(|| path.to_owned()),
    }
}

/// What the Job does, with its command and by its own account. What it made.
fn make_secrets(
    servers: &Servers,
    state: &StateDir,
    objects: &BTreeMap<String, Value>,
) -> Result<Vec<String>, LocalError> {
    let config = format!("[k8s]\nkube_config_path = {}\n", json!(servers.kubeconfig_for(SECRETS)));
    let config = state.write("secrets.toml", &config).unwrap();
    let job = &objects["Job gthulhu-secrets"]["spec"]["template"]["spec"]["containers"][0];
    let command = job["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    // What a pod knows by being one.
    let here = ["--namespace", NAMESPACE, "--config"];
    let mut words: Vec<&OsStr> = command.skip(1).chain(here).map(OsStr::new).collect();
    words.push(config.as_os_str());
    Ok(run_to_end("gthulhu-manager", &words)?.lines().map(str::to_owned).collect())
}

/// The texts of a Secret.
async fn secret(admin: &Api, namespace: &str, name: &str) -> BTreeMap<String, String> {
    let (status, text) =
        admin.try_get(&format!("/api/v1/namespaces/{namespace}/secrets/{name}")).await.unwrap();
    assert_eq!(status, 200, "{namespace}/{name}: {text}");
    let secret: k8s_openapi::api::core::v1::Secret = serde_json::from_str(&text).unwrap();
    let text = |(key, bytes): (_, k8s_openapi::ByteString)| (key, String::from_utf8(bytes.0).unwrap());
    secret.data.unwrap().into_iter().map(text).collect()
}

/// A container of a shipped object, put up on this machine: its variables, with paths below `dir`, where its Secrets are.
async fn put_up(
    admin: &Api,
    template: &Value,
    container: usize,
    namespace: &str,
    dir: &Path,
) -> Vec<(String, String)> {
    let container = &template["spec"]["containers"][container];
    let mut mounts = Vec::new();
    for mount in container["volumeMounts"].as_array().unwrap() {
        let place = dir.join(mount["mountPath"].as_str().unwrap().trim_start_matches('/'));
        fs::create_dir_all(&place).unwrap();
        let volumes = template["spec"]["volumes"].as_array().unwrap();
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        if let Some(name) = volume["secret"]["secretName"].as_str() {
            for (key, text) in secret(admin, namespace, name).await {
                gthulhu_http::files::write_atomic(&place.join(key), text.as_bytes(), 0o600).unwrap();
            }
        }
        mounts.push(mount["mountPath"].as_str().unwrap().to_owned());
    }
    let mut variables = Vec::new();
    for variable in container["env"].as_array().unwrap() {
        let from = &variable["valueFrom"]["secretKeyRef"];
        let value = match (variable["value"].as_str(), from["name"].as_str()) {
            (Some(path), _) if mounts.iter().any(|mount| path.starts_with(mount)) => {
                dir.join(path.trim_start_matches('/')).display().to_string()
            }
            (Some(value), _) => value.to_owned(),
            (None, Some(name)) => secret(admin, namespace, name).await[from["key"].as_str().unwrap()].clone(),
            (None, None) => "worker-1".to_owned(),
        };
        variables.push((variable["name"].as_str().unwrap().to_owned(), value));
    }
    variables
}

/// Starts a program with these variables, but for those in `other`, which are of this machine.
fn start(
    state: &StateDir,
    name: &str,
    variables: &[(String, String)],
    other: &[(&str, &str)],
    url: &str,
) -> Daemon {
    let config = state.write(&format!("{name}.toml"), "").unwrap();
    let changed = |variable: &str| other.iter().any(|(other, _)| *other == variable);
    let mut environment: Vec<(&str, &str)> = variables
        .iter()
        .map(|(variable, value)| (variable.as_str(), value.as_str()))
        .filter(|(variable, _)| !changed(variable))
        .collect();
    environment.extend(other);
    Daemon::start(state, name, &config, url, &environment).unwrap()
}

/// What the DaemonSet's controller, a scheduler and a kubelet do.
async fn run_pod(cluster: &Cluster, template: &Value, port: u16) {
    let mut pod = template.clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("decisionmaker-x");
    pod["spec"]["containers"][0]["ports"][0]["containerPort"] = json!(port);
    pod["spec"]["nodeName"] = json!("worker-1");
    cluster.0.create("/api/v1/namespaces/kube-system/pods", &pod).await;
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let status = json!({"status": {"phase": "Running", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}], "conditions": ready}});
    cluster.0.patch("/api/v1/namespaces/kube-system/pods/decisionmaker-x/status", &status).await;
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/busybox");
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "busybox"},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "worker-1"}});
    cluster.0.create(&format!("{path}/binding"), &binding).await;
    cluster.0.patch(&format!("{path}/status"), &json!({"status": {"phase": "Running"}})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shipped_for_kind_works_on_a_real_api() {
    const TEST: &str = "what_is_shipped_for_kind_works_on_a_real_api";
    let servers = match Servers::start().await {
        Ok(servers) => servers,
        Err(LocalError::Unsupported(why)) => return println!("SKIPPED {TEST}: {why}"),
        Err(error) => panic!("{error}"),
    };
    let cluster = Cluster(servers.admin().await.unwrap());
    until(async || match cluster.0.try_get("/api/v1/namespaces/kube-system").await {
        Ok((200, _)) => Ok(()),
        instead => Err(format!("{instead:?}")),
    })
    .await;
    let objects = apply_all(&cluster).await;
    cluster.node("worker-1").await;
    let state = StateDir::temporary().unwrap();
    secrets_are_made_once(&servers, &state, &cluster.0, &objects).await;
    rights_are_no_more_than_needed(&servers).await;

    let dm = &objects["DaemonSet decisionmaker"]["spec"]["template"];
    let variables = put_up(&cluster.0, dm, 0, "kube-system", &state.subdir("dm").unwrap()).await;
    let [port, probes, api] = [Port::take(), Port::take(), Port::take()].map(Result::unwrap);
    let host = format!("{ADDRESS}:{}", port.number());
    let probe = format!("127.0.0.1:{}", probes.number());
    let other = [("DM_SERVER_HOST", host.as_str()), ("DM_SERVER_PROBE_HOST", probe.as_str())];
    let mut dm_runs = start(&state, "gthulhu-dm", &variables, &other, &format!("http://{probe}"));
    dm_runs.ready(&Caller::new(dm_runs.url())).await.unwrap();
    run_pod(&cluster, dm, port.number()).await;

    let manager = &objects["Deployment manager"]["spec"]["template"];
    let variables = put_up(&cluster.0, manager, 0, NAMESPACE, &state.subdir("manager").unwrap()).await;
    let (host, kubeconfig) = (format!("127.0.0.1:{}", api.number()), servers.kubeconfig_for(MANAGER));
    let other = [
        ("MANAGER_SERVER_HOST", host.as_str()),
        ("MANAGER_STORE_KIND", "redb"),
        ("MANAGER_K8S_IN_CLUSTER", "false"),
        ("MANAGER_K8S_KUBE_CONFIG_PATH", kubeconfig.to_str().unwrap()),
    ];
    let mut manager_runs = start(&state, "gthulhu-manager", &variables, &other, &format!("http://{host}"));
    manager_runs.ready(&Caller::new(manager_runs.url())).await.unwrap();
    a_strategy_reaches_its_node(manager_runs.url(), &variables).await;
}

/// All that pods mount is there, and a second run makes nothing.
async fn secrets_are_made_once(
    servers: &Servers,
    state: &StateDir,
    admin: &Api,
    objects: &BTreeMap<String, Value>,
) {
    // Half of what an earlier first start made is left: the other half would not go with it.
    let left = json!({"metadata": {"name": "gthulhu-dm-token"}, "stringData": {"dm-token.key": "old"}});
    admin.create("/api/v1/namespaces/kube-system/secrets", &left).await;
    let error = make_secrets(servers, state, objects).unwrap_err().to_string();
    let told = "secret kube-system/gthulhu-dm-token is there and gthulhu-api-local/gthulhu-keys, which has to go with it, is not";
    assert!(error.contains(told), "{error}");
    let first_start = "/api/v1/namespaces/gthulhu-api-local/secrets/gthulhu-first-start";
    assert_eq!(admin.try_get(first_start).await.unwrap().0, 404, "nothing was made");
    admin.delete("/api/v1/namespaces/kube-system/secrets/gthulhu-dm-token", &json!({})).await;

    let make = || make_secrets(servers, state, objects).unwrap();
    let made = make();
    assert_eq!(made.len(), 8, "{made:?}");
    assert_eq!(made[0], "gthulhu-api-local/gthulhu-first-start");
    assert_eq!(make(), Vec::<String>::new());
    // One that is gone is made again of the same keys.
    let before = secret(admin, "kube-system", "gthulhu-mtls-certs").await;
    admin.delete("/api/v1/namespaces/kube-system/secrets/gthulhu-mtls-certs", &json!({})).await;
    assert_eq!(make(), ["kube-system/gthulhu-mtls-certs"]);
    assert_eq!(secret(admin, "kube-system", "gthulhu-mtls-certs").await, before);

    for (title, object) in objects {
        let spec = &object["spec"]["template"]["spec"];
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        for volume in spec["volumes"].as_array().into_iter().flatten() {
            if let Some(name) = volume["secret"]["secretName"].as_str() {
                assert!(made.contains(&format!("{namespace}/{name}")), "{title} mounts {name}: {made:?}");
            }
        }
        let containers = spec["containers"].as_array().into_iter().flatten();
        for variable in containers.flat_map(|container| container["env"].as_array().into_iter().flatten()) {
            let from = &variable["valueFrom"]["secretKeyRef"];
            if let (Some(name), Some(key)) = (from["name"].as_str(), from["key"].as_str()) {
                assert!(secret(admin, namespace, name).await.contains_key(key), "{title}: {name}: {key}");
            }
        }
    }
}

async fn rights_are_no_more_than_needed(servers: &Servers) {
    let status = async |account, path: &str| {
        let api = Api::connect(&servers.kubeconfig_for(account)).await.unwrap();
        api.try_get(path).await.unwrap().0
    };
    for (account, path, expected) in [
        (MANAGER, "/api/v1/pods", 200),
        (MANAGER, "/api/v1/nodes", 200),
        (MANAGER, "/api/v1/namespaces", 200),
        (MANAGER, "/api/v1/services", 403),
        (MANAGER, "/api/v1/namespaces/gthulhu-api-local/secrets/gthulhu-keys", 403),
        (SECRETS, "/api/v1/namespaces/gthulhu-api-local/secrets/gthulhu-first-start", 200),
        (SECRETS, "/api/v1/namespaces/gthulhu-api-local/secrets/gthulhu-keys", 403),
        (SECRETS, "/api/v1/namespaces/gthulhu-api-local/secrets", 403),
        (SECRETS, "/api/v1/namespaces/kube-system/secrets/gthulhu-dm-token", 403),
        (SECRETS, "/api/v1/pods", 403),
    ] {
        assert_eq!(status(account, path).await, expected, "{account:?} {path}");
    }
}

/// The way of `local_test.sh`.
async fn a_strategy_reaches_its_node(url: &str, variables: &[(String, String)]) {
    let word = |name: &str| variables.iter().find(|(variable, _)| variable == name).unwrap().1.clone();
    let stranger = TestClient::new(url);
    let login = json!({"username": word("MANAGER_ACCOUNT_ADMIN_EMAIL"), "password": word("MANAGER_ACCOUNT_ADMIN_PASSWORD")});
    let token = stranger.post("/api/v1/auth/login", &login).await.data()["token"].take();
    let user = stranger.bearer(token.as_str().unwrap());
    let strategy = json!({"labelSelectors": [{"key": "app", "value": "busybox"}], "priority": 1});
    let reply = user.post("/api/v1/strategies", &strategy).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    until(async || {
        let told = user.get("/api/v1/intents/self").await.data();
        let held = told["intents"].as_array().is_some_and(|all| all.len() == 1 && all[0]["State"] == 2);
        if held { Ok(()) } else { Err(told.to_string()) }
    })
    .await;
}
