//! A listener's side: what it shows, and whom it lets in.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, ServerConfig, SignatureScheme,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};
use webpki::KeyUsage;

use super::credentials::Credentials;
use super::identity::{self, Identity};
use super::live::Live;
use super::{HTTP_1_1, provider};
use crate::time::unix_now;

/// How long a caller who was refused may take to read why.
const LINGER: Duration = Duration::from_secs(1);

/// Whom a listener lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callers {
    /// Everybody; nobody shows a certificate.
    Anyone,
    /// The manager of this cluster; of any that the authority knows, if the name is empty.
    Manager {
        /// The cluster's name.
        cluster: String,
    },
}

/// The TLS of one listener. Clones share it.
#[derive(Debug, Clone)]
pub struct ServerTls {
    live: Live,
    callers: Callers,
    made: Arc<Mutex<Option<Made>>>,
}

/// The library's form of one set of credentials, and which set that is.
type Made = (u64, Arc<ServerConfig>);

/// Who called, and until when that is settled.
pub(crate) struct Caller {
    pub(crate) identity: Arc<Identity>,
    chain: Vec<CertificateDer<'static>>,
    /// Which credentials judged him, and when the first certificate of his chain or its authority is over.
    settled: Mutex<(u64, i64)>,
}

/// Why a connection came to nothing before its first request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error(transparent)]
    Tls(#[from] io::Error),
    #[error("nobody has said who he is")]
    Nobody,
    #[error("TLS cannot be set up: {0}")]
    SetUp(rustls::Error),
}

impl ServerTls {
    /// Shows the certificate of `live`, and lets in `callers`.
    pub fn new(live: Live, callers: Callers) -> ServerTls {
        ServerTls { live, callers, made: Arc::default() }
    }

    /// Shakes hands. None: nobody had to say who he is.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<Caller>), HandshakeError> {
        let credentials = self.live.current();
        let acceptor = TlsAcceptor::from(self.config(&credentials).map_err(HandshakeError::SetUp)?);
        match acceptor.accept(stream).into_fallible().await {
            Ok(stream) => {
                let caller = self.caller(&credentials, stream.get_ref().1.peer_certificates());
                if caller.is_none() && self.callers != Callers::Anyone {
                    return Err(HandshakeError::Nobody);
                }
                Ok((stream.into(), caller))
            }
            Err((error, stream)) => {
                say_goodbye(stream).await;
                Err(error.into())
            }
        }
    }

    /// Whether he may still call. Judged again when a certificate of his chain is over or ours are others, and not for each request.
    pub(crate) fn still_lets_in(&self, caller: &Caller) -> Result<(), rustls::Error> {
        let credentials = self.live.current();
        let mut settled = caller.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, until) = *settled;
        if generation == credentials.generation && unix_now() < until {
            return Ok(());
        }
        let until = self.callers.judge(&credentials, &caller.chain, UnixTime::now())?;
        *settled = (credentials.generation, until);
        Ok(())
    }

    fn caller(&self, credentials: &Credentials, chain: Option<&[CertificateDer<'static>]>) -> Option<Caller> {
        let Callers::Manager { cluster } = &self.callers else { return None };
        let chain = chain?.to_vec();
        // The verifier has seen all of this, so that none of it fails now, unless something has ended this moment.
        let identity = identity::manager(chain.first()?, cluster).ok()?;
        let until = self.callers.judge(credentials, &chain, UnixTime::now()).ok()?;
        Some(Caller {
            identity: Arc::new(identity),
            chain,
            settled: Mutex::new((credentials.generation, until)),
        })
    }

    /// The library's form of these credentials, made once for each set.
    fn config(&self, credentials: &Arc<Credentials>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((generation, config)) = &*made
            && *generation == credentials.generation
        {
            return Ok(Arc::clone(config));
        }
        let verifier: Arc<dyn ClientCertVerifier> = match self.callers {
            Callers::Anyone => WebPkiClientVerifier::no_client_auth(),
            Callers::Manager { .. } => Arc::new(Doorman {
                callers: self.callers.clone(),
                credentials: Arc::clone(credentials),
                provider: provider(),
            }),
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from((*credentials.own).clone())));
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        // A session that is resumed is one whose certificate nobody looks at.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let config = Arc::new(config);
        *made = Some((credentials.generation, Arc::clone(&config)));
        Ok(config)
    }
}

impl Callers {
    /// Whether whoever shows this chain is let in, and when to ask again, Unix seconds.
    fn judge(
        &self,
        credentials: &Credentials,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<i64, rustls::Error> {
        let Callers::Manager { cluster } = self else { return Ok(i64::MAX) };
        let (end, between) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        let until = credentials.authorities.vouch(end, between, now, KeyUsage::client_auth())?;
        identity::manager(end, cluster).map_err(|stranger| {
            let refusal = CertificateError::Other(OtherError(Arc::new(stranger)));
            rustls::Error::InvalidCertificate(refusal)
        })?;
        Ok(until)
    }
}

/// The reason is on its way. To close while the caller's bytes wait unread would take it back from him.
async fn say_goodbye(mut stream: TcpStream) {
    let read = async {
        let _ = stream.shutdown().await;
        let mut ignored = [0; 1024];
        while stream.read(&mut ignored).await.is_ok_and(|length| length > 0) {}
    };
    let _ = tokio::time::timeout(LINGER, read).await;
}

/// Judges callers' certificates for the library.
struct Doorman {
    callers: Callers,
    credentials: Arc<Credentials>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Doorman {
    /// No hints: a caller has one certificate for us, or none.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let chain: Vec<CertificateDer<'_>> = [std::slice::from_ref(end), between].concat();
        self.callers.judge(&self.credentials, &chain, now)?;
        Ok(ClientCertVerified::assertion())
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

impl fmt::Debug for Doorman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorman").field("callers", &self.callers).finish_non_exhaustive()
    }
}
