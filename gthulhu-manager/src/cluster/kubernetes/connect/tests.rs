//! Programs that give credentials: one that fails and talks, and one that hangs.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// So often the library runs the program for one client: for a token, a certificate and when that ends.
const ASKED: usize = 3;

/// A kubeconfig whose credentials come from this script, which finds the folder it is in as `$DIR`.
fn source(dir: &TempDir, script: &str) -> Source {
    let plugin = dir.path().join("plugin");
    fs::write(&plugin, format!("#!/bin/sh\nDIR={}\n{script}\n", dir.path().display())).unwrap();
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:1'}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u, namespace: shop}}}}]\n\
         users: [{{name: u, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, \
         env: [{{name: SECRET, value: canary-env}}]}}}}}}]\n",
        plugin.display()
    );
    fs::write(&path, text).unwrap();
    Source::Kubeconfig(path)
}

/// A pipe that ends a script which reads from it, at the latest when it is dropped.
fn pipe(dir: &TempDir) -> File {
    let path = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[tokio::test]
async fn nothing_of_what_a_plugin_says_is_told() {
    let dir = TempDir::new().unwrap();
    let script = "echo \"$KUBERNETES_EXEC_INFO\" > $DIR/info\necho canary-out\necho canary-err >&2\nexit 7";
    let source = source(&dir, script);
    let failure = Connector::new(source).connect(&Options::default()).await.err().unwrap();
    let told = format!("{failure} {failure:?}");
    assert!(told.contains("its exec plugin failed with exit status: 7"), "{told}");
    assert!(!told.contains("canary"), "{told}");
    let info = fs::read_to_string(dir.path().join("info")).unwrap();
    assert!(info.contains(r#""interactive":false"#), "it would write to our standard error: {info}");
}

#[tokio::test]
async fn a_plugin_that_hangs_is_given_up_and_not_begun_again() {
    let dir = TempDir::new().unwrap();
    let script = "exec 3< $DIR/pipe\necho x >> $DIR/runs\nread token <&3\n\
        echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\
        \"status\":{\"token\":\"'$token'\"}}'";
    let mut connector = Connector::new(source(&dir, script));
    let mut pipe = pipe(&dir);
    // Each attempt would be one more process, for ever.
    let hasty = Options { answer: Duration::from_millis(300), ..Options::default() };
    for _ in 0..3 {
        let failure = connector.connect(&hasty).await.err().unwrap().to_string();
        assert!(failure.ends_with("its credentials are not there after 300ms"), "{failure}");
    }
    assert!(connector.making.is_some());
    let runs = || fs::read_to_string(dir.path().join("runs")).unwrap_or_default().lines().count();
    assert!(runs() <= 1);
    pipe.write_all(&b"token\n".repeat(ASKED)).unwrap();
    let patient = Options { answer: Duration::from_secs(60), ..Options::default() };
    connector.connect(&patient).await.map(drop).unwrap();
    assert_eq!(runs(), ASKED);
    assert!(connector.making.is_none());
}

#[tokio::test]
async fn the_namespace_is_known_without_credentials() {
    let dir = TempDir::new().unwrap();
    assert_eq!(source(&dir, "exit 7").namespace().await.unwrap(), "shop");
    let nowhere = Source::Kubeconfig(dir.path().join("nowhere"));
    assert!(nowhere.namespace().await.unwrap_err().to_string().contains("nowhere"));
}
