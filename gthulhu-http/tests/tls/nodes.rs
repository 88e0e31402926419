//! Whom a manager believes to be the node that it means: one sort of certificate, and none of sixteen others.

use std::sync::atomic::Ordering;

use gthulhu_http::client::{Client, ClientError, ConnectFault, Request};
use rcgen::{CertificateParams, date_time_ymd};
use tokio::net::TcpListener;

use crate::papers::{Authority, CLIENT, P256, Paper, SERVER, dns, loopback, params, self_signed, uri};
use crate::peers::{Impostor, client, live, serve};

const DM: &str = "gthulhu-decisionmaker";

/// As `certs issue` makes it.
fn node(name: &str) -> CertificateParams {
    params(DM, &[SERVER], &[loopback(), uri(&format!("gthulhu://main/node/{name}"))])
}

/// As the recipe makes it.
fn by_address() -> CertificateParams {
    params(DM, &[SERVER, CLIENT], &[loopback()])
}

fn caller(ca: &Authority) -> Client {
    client(live(&ca.paper(&params("gthulhu-manager", &[CLIENT], &[])), &ca.pem))
}

async fn ask(client: &Client, impostor: &Impostor, server_name: &str) -> Result<u16, ClientError> {
    let request = Request::get(impostor.url.as_str()).bearer("a.secret.token").to_node("n1", server_name);
    client.send(request).await.map(|response| response.status)
}

#[tokio::test]
async fn the_node_that_is_meant_is_believed() {
    let ca = Authority::new();
    let client = caller(&ca);
    let named = params(DM, &[SERVER], &[dns("node-1.example")]);
    for (case, paper, server_name) in [
        ("by its identity", ca.paper(&node("n1")), ""),
        (
            "by its identity, whatever it is called",
            ca.paper(&params(DM, &[SERVER], &[uri("gthulhu://main/node/n1")])),
            "localhost",
        ),
        ("by its address", ca.paper(&by_address()), ""),
        ("by a name", ca.paper(&named), "node-1.example"),
        ("through another authority", ca.below(Some(0)).paper(&node("n1")), ""),
    ] {
        let impostor = Impostor::start(&paper).await;
        let status =
            ask(&client, &impostor, server_name).await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
        assert_eq!(status, 200, "{case}");
    }
}

#[tokio::test]
async fn sixteen_others_are_not() {
    let ca = Authority::new();
    let client = caller(&ca);
    let with = |edit: fn(&mut CertificateParams)| {
        let mut params = node("n1");
        edit(&mut params);
        params
    };
    let stolen = Paper { cert: ca.paper(&node("n1")).cert, key: ca.paper(&node("n1")).key };
    let extensions = "extendedKeyUsage=serverAuth\nsubjectAltName=IP:127.0.0.1";
    let cases = [
        ("2 self-signed", self_signed(&node("n1"))),
        ("3 of another authority", Authority::new().paper(&node("n1"))),
        ("4 expired", ca.paper(&with(|params| params.not_after = date_time_ymd(2021, 1, 1)))),
        ("5 not yet valid", ca.paper(&with(|params| params.not_before = date_time_ymd(2119, 1, 1)))),
        ("6 for clients only", ca.paper(&with(|params| params.extended_key_usages = vec![CLIENT]))),
        ("7 of another name", ca.paper(&params(DM, &[SERVER], &[dns("elsewhere.test")]))),
        (
            "7 of another address",
            ca.paper(&params(DM, &[SERVER], &[rcgen::SanType::IpAddress([127, 0, 0, 2].into())])),
        ),
        ("7 of no name", ca.paper(&params("127.0.0.1", &[SERVER], &[]))),
        (
            "7 of another cluster",
            ca.paper(&params(DM, &[SERVER], &[loopback(), uri("gthulhu://other/node/n1")])),
        ),
        ("8 of another node", ca.paper(&node("n2"))),
        ("9 by SHA-1", ca.by_openssl(P256, "sha1", DM, extensions)),
        ("10 by an RSA key of 1024 bits", ca.by_weak_authority(DM, extensions)),
        ("11 by somebody who is no authority", ca.impostor().paper(&node("n1"))),
        ("12 too far from the root", ca.below(Some(0)).below(None).paper(&node("n1"))),
        ("13 of a name that its authority may not give", {
            ca.of_names("cluster.local").paper(&params(DM, &[SERVER], &[loopback(), dns("elsewhere.test")]))
        }),
        ("14 the manager's own", ca.paper(&params("gthulhu-manager", &[CLIENT], &[loopback()]))),
        ("14 a manager's that may serve", {
            ca.paper(&params(
                "gthulhu-manager",
                &[CLIENT, SERVER],
                &[loopback(), uri("gthulhu://main/manager")],
            ))
        }),
        ("15 with another key", stolen),
    ];
    for (case, paper) in cases {
        let impostor = Impostor::start(&paper).await;
        let error = ask(&client, &impostor, "").await.unwrap_err();
        assert!(matches!(error, ClientError::Tls { .. }), "{case}: {error:?}");
        assert_eq!(impostor.told.load(Ordering::Relaxed), 0, "{case}: it was told something");
        assert!(!format!("{error} {error:?}").contains("secret"), "{case}: {error:?}");
    }
}

/// The first and the sixteenth: no certificate, and no TLS that is good enough.
#[tokio::test]
async fn what_speaks_no_tls_is_told_nothing() {
    let ca = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let plain = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = [0; 4096];
        let length = stream.read(&mut seen).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        seen[..length].to_vec()
    });
    let error =
        caller(&ca).send(Request::get(url).bearer("a.secret.token").to_node("n1", "")).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Tls { reason, .. } if reason == "it does not speak TLS"),
        "{error:?}"
    );
    let seen = plain.await.unwrap();
    assert!(!seen.windows(6).any(|window| window == b"secret"));
}

#[tokio::test]
async fn a_client_with_tls_speaks_nothing_else() {
    let ca = Authority::new();
    for url in ["http://127.0.0.1:1/", "https://user@127.0.0.1:1/", "https:///x"] {
        let error = caller(&ca).send(Request::get(url)).await.unwrap_err();
        assert!(matches!(error, ClientError::Request { .. }), "{url}: {error:?}");
    }
    let error = caller(&ca).send(Request::get("https://127.0.0.1:1/")).await.unwrap_err();
    assert!(matches!(error, ClientError::Connect { fault: ConnectFault::Refused, .. }), "{error:?}");
}

/// A connection to one node is not used for another that is said to be at the same address.
#[tokio::test]
async fn connections_are_kept_for_the_node_that_they_reached() {
    let ca = Authority::new();
    let (_, server) = serve(&ca.paper(&node("n1")), &ca.pem);
    let client = caller(&ca);
    let url = format!("https://{}/api/v1/whoami", server.address());
    let ask = |name: &'static str| {
        let request = Request::get(url.as_str()).to_node(name, "");
        client.send(request)
    };
    assert_eq!(ask("n1").await.unwrap().status, 200);
    let error = ask("n2").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "TLS failed: its certificate is refused: the certificate is for gthulhu://main/node/n1, not for \
         gthulhu://main/node/n2"
    );
    assert_eq!(ask("n1").await.unwrap().status, 200);
    server.stop().await;
}

#[tokio::test]
async fn who_is_refused_reads_why() {
    let ca = Authority::new();
    let (app, server) = serve(&ca.paper(&node("n1")), &ca.pem);
    let url = format!("https://{}/api/v1/whoami", server.address());
    let stranger = client(live(&ca.paper(&node("n2")), &ca.pem));
    let error = stranger.send(Request::get(url).to_node("n1", "")).await.unwrap_err();
    assert!(error.to_string().starts_with("TLS failed: it refuses us, or our certificate"), "{error:?}");
    assert_eq!(app.calls.load(Ordering::Relaxed), 0);
    server.stop().await;
}
