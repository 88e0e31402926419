//! A certificate with its key, and the authorities that peers must come from: one set that fits together.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::authorities::Authorities;
use super::provider;
use crate::certs::Seen;

/// Everything that one side of a connection needs.
pub(super) struct Credentials {
    pub(super) own: Arc<CertifiedKey>,
    pub(super) authorities: Arc<Authorities>,
    /// The life of our own certificate, Unix seconds.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// Counts the sets of one source: another number is another set.
    pub(super) generation: u64,
}

/// Which of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Certificate,
    Key,
    Authority,
}

/// What is wrong with one of the texts. Shows nothing of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) part: Part,
    pub(super) why: String,
}

impl Part {
    /// The part's name among the keys of a section.
    pub(super) fn key(self) -> &'static str {
        match self {
            Part::Certificate => "cert",
            Part::Key => "key",
            Part::Authority => "ca",
        }
    }

    /// Looks at the labels of the blocks; gives the rest of the sentence that says what should be there.
    pub(super) fn check_blocks(self, text: &str) -> Result<(), String> {
        let labels: &[&str] = match self {
            // What `openssl ecparam -genkey` writes before a key is no harm.
            Part::Key => &["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "EC PARAMETERS"],
            Part::Certificate | Part::Authority => &["CERTIFICATE"],
        };
        match pem::parse_many(text) {
            Ok(blocks) if !blocks.is_empty() => {
                match blocks.iter().find(|block| !labels.contains(&block.tag())) {
                    Some(strange) => Err(format!(", not a block `{}`", strange.tag())),
                    None => Ok(()),
                }
            }
            _ => Err(String::new()),
        }
    }

    fn fault(self, why: impl Into<String>) -> Fault {
        Fault { part: self, why: why.into() }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Certificate => "a certificate",
            Part::Key => "the private key of that certificate",
            Part::Authority => "the certificate of the authority",
        })
    }
}

impl Credentials {
    /// Reads the texts, and makes sure that the key is the certificate's and that authorities are authorities. What a peer
    /// would think of the certificate is the peer's affair.
    pub(super) fn parse(cert: &str, key: &str, ca: Option<&str>) -> Result<Credentials, Fault> {
        let chain = certificates(Part::Certificate, cert)?;
        let seen = Seen::from_der(&chain[0]).map_err(|error| Part::Certificate.fault(error.to_string()))?;
        let unreadable = |_| Part::Key.fault("it is no key that can be read without a passphrase");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(unreadable)?;
        let unusable = |_| Part::Key.fault("it is neither an RSA key nor one of a common curve");
        let key = provider().key_provider.load_private_key(key).map_err(unusable)?;
        let own = CertifiedKey::new(chain, key);
        own.keys_match().map_err(|_| Part::Key.fault("it is the key of another certificate"))?;
        let authorities = match ca {
            Some(text) => Authorities::new(&certificates(Part::Authority, text)?)
                .map_err(|why| Part::Authority.fault(why))?,
            None => Authorities::default(),
        };
        Ok(Credentials {
            own: Arc::new(own),
            authorities: Arc::new(authorities),
            not_before: seen.not_before,
            not_after: seen.not_after,
            generation: 0,
        })
    }

    /// What they lack now that `other` has, if anything.
    pub(super) fn worse_than(&self, other: &Credentials, now: i64) -> Option<&'static str> {
        if self.not_after <= now && now < other.not_after {
            return Some("has a certificate that is over");
        }
        if now < self.not_before && other.not_before <= now {
            return Some("has a certificate that is not valid yet");
        }
        let trusts = |credentials: &Credentials| credentials.authorities.any_is_valid(now);
        (!trusts(self) && trusts(other)).then_some("has no authority that is valid now")
    }
}

/// At least one certificate.
fn certificates(part: Part, text: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(part.fault("there is none")),
        Err(_) => Err(part.fault("a block is damaged or not complete")),
    }
}
