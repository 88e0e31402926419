//! Whom a decision maker's listener lets in: one sort of certificate, and none of sixteen others.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::Ordering;

use gthulhu_http::testkit::TestServer;
use rcgen::{CertificateParams, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::papers::{Authority, CLIENT, P256, Paper, SERVER, dns, loopback, params, rsa, self_signed, uri};
use crate::peers::{serve, stranger};

const MANAGER: &str = "gthulhu-manager";
const DM: &str = "gthulhu-decisionmaker";

/// As the recipe makes it.
fn manager() -> CertificateParams {
    params(MANAGER, &[CLIENT], &[])
}

/// With an identity.
fn identified(identity: &str) -> CertificateParams {
    params("anything", &[CLIENT], &[uri(identity)])
}

fn expired() -> CertificateParams {
    let mut params = manager();
    params.not_after = date_time_ymd(2021, 1, 1);
    params
}

fn early() -> CertificateParams {
    let mut params = manager();
    params.not_before = date_time_ymd(2119, 1, 1);
    params
}

struct Listener {
    ca: Authority,
    app: std::sync::Arc<crate::peers::App>,
    server: TestServer,
}

impl Listener {
    fn of(ca: Authority) -> Listener {
        let own = ca.paper(&params(DM, &[SERVER, CLIENT], &[loopback()]));
        let (app, server) = serve(&own, &ca.pem);
        Listener { ca, app, server }
    }

    async fn lets_in(&self, paper: Option<&Paper>) -> Result<String, String> {
        stranger(self.server.address(), &self.ca.pem, paper).await
    }

    async fn refuses(&self, case: &str, paper: Option<&Paper>) -> String {
        let before = self.app.calls.load(Ordering::Relaxed);
        let Err(error) = self.lets_in(paper).await else { panic!("{case}: let in") };
        assert_eq!(self.app.calls.load(Ordering::Relaxed), before, "{case}: a request was answered");
        error
    }
}

#[tokio::test]
async fn managers_are_let_in_and_told_apart() {
    let listener = Listener::of(Authority::new());
    let ca = &listener.ca;
    let intermediate = ca.below(Some(0));
    let mut lifelong = manager();
    lifelong.extended_key_usages = vec![];
    for (case, paper, who) in [
        ("by its common name", ca.paper(&manager()), "CN=gthulhu-manager"),
        ("by its identity", ca.paper(&identified("gthulhu://main/manager")), "gthulhu://main/manager"),
        ("through another authority", intermediate.paper(&manager()), "CN=gthulhu-manager"),
        ("without a stated use", ca.paper(&lifelong), "CN=gthulhu-manager"),
        (
            "with an RSA key",
            ca.by_openssl(&rsa(2048), "sha256", MANAGER, "extendedKeyUsage=clientAuth"),
            "CN=gthulhu-manager",
        ),
    ] {
        let reply = listener.lets_in(Some(&paper)).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains(who), "{case}: {reply}");
    }
    listener.server.stop().await;
}

#[tokio::test]
async fn sixteen_others_are_not() {
    let listener = Listener::of(Authority::new());
    let ca = &listener.ca;
    let node = params(DM, &[SERVER], &[loopback(), uri("gthulhu://main/node/n1")]);
    let misused = params(DM, &[CLIENT, SERVER], &[loopback(), uri("gthulhu://main/node/n1")]);
    let another = ca.paper(&manager());
    let stolen = Paper { cert: another.cert, key: ca.paper(&manager()).key };
    let named = params(MANAGER, &[CLIENT], &[dns("elsewhere.test")]);
    let extension = "extendedKeyUsage=clientAuth";
    let cases = [
        ("1 no certificate", None),
        ("2 self-signed", Some(self_signed(&manager()))),
        ("3 of another authority", Some(Authority::new().paper(&manager()))),
        ("4 expired", Some(ca.paper(&expired()))),
        ("5 not yet valid", Some(ca.paper(&early()))),
        ("6 for servers only", Some(ca.paper(&params(MANAGER, &[SERVER], &[])))),
        ("7 of another identity", Some(ca.paper(&identified("gthulhu://main/managers")))),
        ("7 of another cluster", Some(ca.paper(&identified("gthulhu://other/manager")))),
        (
            "7 with an identity that overrules its name",
            Some(ca.paper(&params(MANAGER, &[CLIENT], &[uri("spiffe://x/y")]))),
        ),
        (
            "7 of two identities",
            Some(ca.paper(&params(
                MANAGER,
                &[CLIENT],
                &[uri("gthulhu://main/manager"), uri("gthulhu://main/node/n1")],
            ))),
        ),
        ("7 of another name", Some(ca.paper(&params("gthulhu-manager2", &[CLIENT], &[])))),
        ("8 a node's", Some(ca.paper(&node))),
        ("8 a node's that may call", Some(ca.paper(&misused))),
        ("9 by SHA-1", Some(ca.by_openssl(P256, "sha1", MANAGER, extension))),
        ("10 by an RSA key of 1024 bits", Some(ca.by_weak_authority(MANAGER, extension))),
        ("11 by somebody who is no authority", Some(ca.impostor().paper(&manager()))),
        ("12 too far from the root", Some(ca.below(Some(0)).below(None).paper(&manager()))),
        ("13 of a name that its authority may not give", Some(ca.of_names("cluster.local").paper(&named))),
        (
            "14 a decision maker's as the recipe makes it",
            Some(ca.paper(&params(DM, &[SERVER, CLIENT], &[loopback()]))),
        ),
        ("15 with another key", Some(stolen)),
    ];
    for (case, paper) in cases {
        let error = listener.refuses(case, paper.as_ref()).await;
        // The reason arrives as an alert, not as a connection that just ends.
        assert!(error.contains("alert"), "{case}: {error}");
    }
    listener.server.stop().await;
}

#[tokio::test]
async fn a_root_may_forbid_others_below_it() {
    let listener = Listener::of(Authority::last());
    listener.lets_in(Some(&listener.ca.paper(&manager()))).await.unwrap();
    listener.refuses("12", Some(&listener.ca.below(None).paper(&manager()))).await;
    listener.server.stop().await;
}

/// The sixteenth: older protocols, and none.
#[tokio::test]
async fn what_is_not_tls_1_2_or_newer_is_refused() {
    let listener = Listener::of(Authority::new());
    let address = listener.server.address();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET /api/v1/hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut reply = Vec::new();
    let _ = plain.read_to_end(&mut reply).await;
    assert!(!reply.starts_with(b"HTTP"), "{reply:?}");

    let good = listener.ca.paper(&manager());
    let weak = listener.ca.by_openssl(&rsa(1024), "sha256", MANAGER, "extendedKeyUsage=clientAuth");
    for (version, paper, accepted) in [
        ("-tls1", &good, false),
        ("-tls1_1", &good, false),
        ("-tls1_2", &good, true),
        ("-tls1_3", &good, true),
        ("-tls1_2", &weak, false),
        ("-tls1_3", &weak, false),
    ] {
        let said = s_client(version, paper, address).await;
        let refused = said.contains("alert");
        assert_eq!(refused, !accepted, "{version}: {said}");
    }
    assert_eq!(listener.app.calls.load(Ordering::Relaxed), 0);
    listener.server.stop().await;
}

/// What openssl says when it shows this paper, and asks for nothing.
async fn s_client(version: &str, paper: &Paper, address: SocketAddr) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("m.crt"), &paper.cert).unwrap();
    std::fs::write(dir.path().join("m.key"), &paper.key).unwrap();
    // It goes on until it is hung up on: by the alert, or because of the request to close.
    let line = format!(
        "s_client {version} -cipher ALL:@SECLEVEL=0 -cert m.crt -key m.key -ign_eof -connect {address}"
    );
    let said = tokio::task::spawn_blocking(move || {
        let request = dir.path().join("request");
        std::fs::write(&request, "GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut command = Command::new("openssl");
        let stdin = std::fs::File::open(request).unwrap();
        let output = command.args(line.split(' ')).current_dir(dir.path()).stdin(stdin).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    });
    said.await.unwrap()
}
