//! A client's side: what it shows, and whether who answers is the one meant.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;
use webpki::{EndEntityCert, KeyUsage};

use super::credentials::Credentials;
use super::identity;
use super::live::Live;
use super::room::{Place, Room, Rooms};
use super::target::Target;
use super::transport::Transport;
use super::{HTTP_1_1, provider};
use crate::time::unix_now;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The TLS of one client. Clones share it.
#[derive(Debug, Clone)]
pub struct ClientTls {
    live: Live,
    cluster: String,
    server_name: Option<String>,
    renewal: Arc<Renewal>,
    rooms: Arc<Rooms>,
}

/// Ends the use of connections to peers whose certificate, or one that it depends on, is over, as they will not be looked at
/// again.
#[derive(Debug)]
struct Renewal {
    /// When the first certificate of a peer that was seen ends, Unix seconds.
    at: AtomicI64,
    count: AtomicU64,
}

impl ClientTls {
    /// Shows the certificate of `live`. Nodes are those of `cluster`, or of any that the authority knows if it is empty; a
    /// certificate without an identity must have the name `server_name`, or that of the host that is called if it is empty.
    pub fn new(live: Live, cluster: &str, server_name: &str) -> ClientTls {
        let server_name = Some(server_name.to_owned()).filter(|name| !name.is_empty());
        let renewal = Arc::new(Renewal { at: AtomicI64::new(i64::MAX), count: AtomicU64::new(0) });
        ClientTls { live, cluster: cluster.to_owned(), server_name, renewal, rooms: Arc::default() }
    }

    /// What there is room for with the node of this marked URL.
    pub(crate) fn room(&self, uri: &Uri) -> Arc<Room> {
        self.rooms.of(uri.authority().map_or("", |authority| authority.as_str()))
    }

    /// All that a connection to this node depends on.
    pub(crate) fn target(&self, node: Option<&str>, server_name: Option<&str>) -> Target {
        let server_name = server_name.filter(|name| !name.is_empty());
        let server_name = server_name.map(str::to_owned).or_else(|| self.server_name.clone());
        // Both only grow, so no sum comes twice.
        let generation = self.live.current().generation + self.renewal.count();
        Target { node: node.map(str::to_owned), server_name, generation }
    }

    async fn connect(&self, stream: TcpStream, uri: &Uri, place: Place) -> Result<Transport, BoxError> {
        let target = Target::of(uri).ok_or_else(|| io::Error::other("not an address of this client"))?;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = target.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let credentials = self.live.current();
        let guard = Guard {
            credentials: Arc::clone(&credentials),
            cluster: self.cluster.clone(),
            node: target.node,
            renewal: Arc::clone(&self.renewal),
            provider: provider(),
        };
        let connector = TlsConnector::from(Arc::new(config(&credentials, guard)?));
        let stream = connector.connect(name, stream).await?;
        Ok(Transport::Tls { stream: Box::new(stream.into()), _place: Some(place) })
    }
}

fn config(credentials: &Credentials, guard: Guard) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(guard))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from((*credentials.own).clone())));
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    // A session that is resumed is one whose certificate nobody looks at.
    config.resumption = Resumption::disabled();
    Ok(config)
}

impl Renewal {
    fn saw(&self, not_after: i64) {
        self.at.fetch_min(not_after, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        let at = self.at.load(Ordering::Relaxed);
        if at <= unix_now()
            && self.at.compare_exchange(at, i64::MAX, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        self.count.load(Ordering::Relaxed)
    }
}

/// Makes connections, with TLS or without.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    tls: Option<ClientTls>,
    limit: Duration,
}

impl Connector {
    /// `limit`: for the handshake; `tcp` has one of its own.
    pub(crate) fn new(mut tcp: HttpConnector, tls: Option<ClientTls>, limit: Duration) -> Connector {
        tcp.enforce_http(tls.is_none());
        Connector { tcp, tls, limit }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Transport>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Transport>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (tcp, tls, limit) = (self.tcp.call(uri.clone()), self.tls.clone(), self.limit);
        Box::pin(async move {
            let Some(tls) = tls else { return Ok(TokioIo::new(Transport::Plain(tcp.await?.into_inner()))) };
            let late = |_| io::Error::from(io::ErrorKind::TimedOut);
            let place = timeout(limit, tls.room(&uri).place()).await.map_err(late)?;
            let stream = tcp.await?.into_inner();
            let transport = timeout(limit, tls.connect(stream, &uri, place)).await.map_err(late)?;
            Ok(TokioIo::new(transport?))
        })
    }
}

/// Judges the certificate of whoever answers for the library.
struct Guard {
    credentials: Arc<Credentials>,
    cluster: String,
    node: Option<String>,
    renewal: Arc<Renewal>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Guard {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let until = self.credentials.authorities.vouch(end, between, now, KeyUsage::server_auth())?;
        let other = |error| CertificateError::Other(OtherError(error));
        let identified = match &self.node {
            Some(node) => {
                identity::node(end, &self.cluster, node).map_err(|stranger| other(Arc::new(stranger)))?
            }
            None => None,
        };
        if identified.is_none() {
            let parsed = EndEntityCert::try_from(end).map_err(|error| other(Arc::new(error)))?;
            parsed.verify_is_valid_for_subject_name(name).map_err(|error| other(Arc::new(error)))?;
        }
        self.renewal.saw(until);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("node", &self.node).finish_non_exhaustive()
    }
}
