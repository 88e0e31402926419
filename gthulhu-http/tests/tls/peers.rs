//! Both ends, as they are and as others might make them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gthulhu_http::call::{Call, Head};
use gthulhu_http::client::{Client, ClientOptions};
use gthulhu_http::error::HttpError;
use gthulhu_http::limits::Limits;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::{Policy, Public, Route};
use gthulhu_http::settings::Secret;
use gthulhu_http::testkit::TestServer;
use gthulhu_http::tls::{Callers, ClientTls, Live, Pem, ServerTls, Source};
use http::Method;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::papers::Paper;

/// Counts who got in.
#[derive(Default)]
pub(crate) struct App {
    pub(crate) calls: AtomicUsize,
}

/// Whoever has proven who he is; the grant is his identity.
struct Known;

impl Policy<App> for Known {
    type Grant = String;

    fn name(&self) -> String {
        "known".to_owned()
    }

    fn admit(&self, _: &App, head: &Head) -> Result<String, HttpError> {
        let nobody = || HttpError::unauthorized("nobody knows you");
        head.identity.as_ref().map(ToString::to_string).ok_or_else(nobody)
    }
}

async fn whoami(app: Arc<App>, who: String, _: Call) -> Result<Reply, HttpError> {
    app.calls.fetch_add(1, Ordering::Relaxed);
    Ok(Reply::data(&who))
}

async fn hello(app: Arc<App>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    app.calls.fetch_add(1, Ordering::Relaxed);
    Ok(Reply::data(&"hello"))
}

pub(crate) fn routes() -> Vec<Route<App>> {
    vec![
        Route::new(Method::GET, "/api/v1/whoami", Known, whoami, "Says who calls."),
        Route::new(Method::GET, "/api/v1/hello", Public, hello, "Says hello."),
    ]
}

/// Credentials in memory.
pub(crate) fn live(own: &Paper, ca: &str) -> Live {
    let inline = |text: &str| Some(Pem::Inline(Secret::from(text)));
    let (cert, key) = (inline(&own.cert), inline(&own.key));
    Live::load(Source { section: "mtls", cert, key, ca: Some(inline(ca)) }).unwrap()
}

/// A listener for the manager of the cluster `main`.
pub(crate) fn serve(own: &Paper, ca: &str) -> (Arc<App>, TestServer) {
    serve_live(live(own, ca), Limits::default())
}

pub(crate) fn serve_live(live: Live, limits: Limits) -> (Arc<App>, TestServer) {
    let app = Arc::new(App::default());
    let tls = ServerTls::new(live, Callers::Manager { cluster: "main".to_owned() });
    let server = TestServer::start_tls(Arc::clone(&app), routes(), limits, tls);
    (app, server)
}

/// A client of the cluster `main`, with deadlines that no loaded machine meets.
pub(crate) fn client(live: Live) -> Client {
    let long = Duration::from_secs(60);
    let options = ClientOptions { connect: long, total: long, ..ClientOptions::default() };
    Client::with_tls(options, ClientTls::new(live, "main", ""))
}

fn certified(paper: &Paper) -> Arc<SingleCertAndKey> {
    let chain = CertificateDer::pem_slice_iter(paper.cert.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(paper.key.as_bytes()).unwrap();
    let key = ring::sign::any_supported_type(&key).unwrap();
    // Whether the two belong together nobody asks.
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)))
}

/// What somebody who shows this paper, or none, gets for `GET /api/v1/whoami`.
pub(crate) async fn stranger(address: SocketAddr, ca: &str, shows: Option<&Paper>) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shows {
        Some(paper) => builder.with_client_cert_resolver(certified(paper)),
        None => builder.with_no_client_auth(),
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| error.to_string())?;
    let request = b"GET /api/v1/whoami HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut reply = String::new();
    stream.write_all(request).await.map_err(|error| error.to_string())?;
    stream.read_to_string(&mut reply).await.map_err(|error| error.to_string())?;
    Ok(reply)
}

/// Somebody who shows this paper to whoever calls, asks nothing, and counts the bytes of requests that he is sent.
pub(crate) struct Impostor {
    pub(crate) url: String,
    pub(crate) told: Arc<AtomicUsize>,
}

impl Impostor {
    pub(crate) async fn start(shows: &Paper) -> Impostor {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(certified(shows));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/api/v1/whoami", listener.local_addr().unwrap());
        let told = Arc::new(AtomicUsize::new(0));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(listen(listener, acceptor, Arc::clone(&told)));
        Impostor { url, told }
    }
}

async fn listen(listener: TcpListener, acceptor: TlsAcceptor, told: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(mut stream) = acceptor.accept(stream).await else { continue };
        let mut request = [0; 4096];
        let length = stream.read(&mut request).await.unwrap_or(0);
        told.fetch_add(length, Ordering::Relaxed);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let _ = stream.shutdown().await;
    }
}
