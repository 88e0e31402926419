//! Certificates as users make them, and as the programs make them: each gives a pair that works.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::world::{Env, Setup, World, mount, paths};
use crate::manager::{Place, operate};

/// The steps to the letter; `$DM_IP` is the node's address.
const STEPS: &str = r#"
openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -new -x509 -days 3650 -key ca.key -out ca.crt -subj "/CN=Gthulhu-Private-CA"
openssl ecparam -name prime256v1 -genkey -noout -out manager.key
openssl req -new -key manager.key -out manager.csr -subj "/CN=gthulhu-manager"
openssl x509 -req -days 730 -in manager.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile <(printf "extendedKeyUsage=clientAuth") -out manager.crt
openssl ecparam -name prime256v1 -genkey -noout -out dm.key
openssl req -new -key dm.key -out dm.csr -subj "/CN=gthulhu-decisionmaker"
openssl x509 -req -days 730 -in dm.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile <(printf "subjectAltName=IP:$DM_IP\nextendedKeyUsage=serverAuth,clientAuth") -out dm.crt
"#;

/// An address of this machine that is not its loopback, if it has one; nothing is sent to find it.
fn own_address() -> String {
    let address = UdpSocket::bind("0.0.0.0:0").ok().and_then(|socket| {
        socket.connect("192.0.2.1:9").ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
    });
    address.map_or("127.0.0.1".to_owned(), |ip| ip.to_string())
}

fn follow_the_steps(host: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let mut bash = Command::new("bash");
    let made = bash.args(["-euc", STEPS]).env("DM_IP", host).current_dir(dir.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    dir
}

fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

/// PEM text in variables, as charts hand it over.
fn inline(prefix: &str, dir: &Path, who: &str) -> Env {
    let variable = |name: &str, file: &str| (format!("{prefix}_MTLS_{name}_PEM"), read(dir, file));
    vec![
        variable("CERT", &format!("{who}.crt")),
        variable("KEY", &format!("{who}.key")),
        variable("CA", "ca.crt"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_gives_a_pair_that_works() {
    let host = own_address();
    let made = follow_the_steps(&host);
    let setup = Setup {
        dm_env: inline("DM", made.path(), "dm"),
        manager_env: inline("MANAGER", made.path(), "manager"),
        // Over mTLS the public key is enough, from anywhere.
        exchanges: true,
        host: host.clone(),
    };
    let mut world = World::start(Place::new(), setup).await;
    world.dm.says(&format!("starting dm server with mTLS on port {host}:0"));
    world.pushes().await;
    world.manager.says("node holds its intents");
    for (path, status) in [
        ("/livez", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/health", 404),
        ("/api/v1/intents/merkle", 404),
        ("/api/v1/scheduling/strategies", 404),
    ] {
        assert_eq!(world.probes.get(path).await.status, status, "{path}");
    }
}

/// A Secret of the three files, mounted: links to files that everybody in the container may read.
#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_the_recipe_can_be_mounted() {
    let made = follow_the_steps("127.0.0.1");
    let volume = TempDir::new().unwrap();
    let files = ["ca.crt", "manager.crt", "manager.key"].map(|name| (name, read(made.path(), name)));
    mount(volume.path(), "2026", &files);
    let setup = Setup {
        host: "127.0.0.1".to_owned(),
        dm_env: paths("DM", made.path(), ["dm.crt", "dm.key", "ca.crt"]),
        manager_env: paths("MANAGER", volume.path(), ["manager.crt", "manager.key", "ca.crt"]),
        exchanges: false,
    };
    let mut world = World::start(Place::new(), setup).await;
    world.pushes().await;
    let metrics = world.probes.get("/metrics").await;
    let series = "gthulhu_tls_certificate_end_timestamp_seconds{certificate=\"own\"";
    assert!(metrics.text().contains(series), "{}", metrics.text());
}

/// With what the first start made, and a certificate of the node's own.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_manager_makes_itself_works_without_a_word_about_files() {
    let place = Place::new();
    let out = TempDir::new().unwrap();
    let to = out.path().to_str().unwrap();
    let words =
        ["certs", "issue", "--node", "node-1", "--address", "10.0.0.9", "--cluster", "main", "--mount"];
    place.operate(&[&words[..], &["--out", to]].concat()).unwrap();
    let said = operate(&["certs", "inspect", out.path().join("dm.crt").to_str().unwrap()]).unwrap();
    assert!(said.iter().any(|line| line == "use      server"), "{said:?}");
    let setup = Setup {
        host: "127.0.0.1".to_owned(),
        dm_env: paths("DM", out.path(), ["dm.crt", "dm.key", "ca.crt"]),
        ..Setup::default()
    };
    let mut world = World::start(place, setup).await;
    // Its identity says who it is, whatever its address.
    world.pushes().await;
    World::asks(&world.api).await.unwrap();
}
