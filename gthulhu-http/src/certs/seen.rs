//! What a certificate says, read back.

use std::net::IpAddr;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{CertError, Holder, Name, Usage};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The subject, as `CN=gthulhu-manager`.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Begin of its life, Unix seconds.
    pub not_before: i64,
    /// End of its life.
    pub not_after: i64,
    /// It may issue others.
    pub authority: bool,
    /// How many authorities may stand between it and an end certificate, if that is limited.
    pub path_length: Option<u32>,
    /// It may call.
    pub client: bool,
    /// It may be called.
    pub server: bool,
    /// The alternative names that are hosts, addresses or identities.
    pub names: Vec<Name>,
    /// The common name, if the subject has exactly one.
    pub common_name: Option<String>,
    /// The SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
}

impl Seen {
    /// Reads the first `CERTIFICATE` of a PEM text.
    pub fn from_pem(text: &str) -> Result<Seen, CertError> {
        let unreadable = |what: &str| CertError::Unreadable(what.to_owned());
        let block = pem::parse(text).map_err(|_| unreadable("there is no block"))?;
        if block.tag() != "CERTIFICATE" {
            return Err(unreadable(&format!("the block is `{}`", block.tag())));
        }
        Seen::from_der(block.contents())
    }

    /// Reads a certificate.
    pub(crate) fn from_der(der: &[u8]) -> Result<Seen, CertError> {
        let unreadable = |what: &str| CertError::Unreadable(what.to_owned());
        let (rest, cert) = X509Certificate::from_der(der).map_err(|_| unreadable("the block is damaged"))?;
        if !rest.is_empty() {
            return Err(unreadable("the block is longer than a certificate"));
        }
        let uses = cert.extended_key_usage().map_err(|_| unreadable("its usage is damaged"))?;
        let uses = uses.map(|extension| extension.value);
        let names = cert.subject_alternative_name().map_err(|_| unreadable("its names are damaged"))?;
        let names = names.iter().flat_map(|extension| &extension.value.general_names);
        // Whoever judges by names must know all of them.
        if names.clone().any(|name| matches!(name, GeneralName::Invalid(..))) {
            return Err(unreadable("its names are damaged"));
        }
        let constraints = cert.basic_constraints().map_err(|_| unreadable("its constraints are damaged"))?;
        let mut common_names = cert.subject().iter_common_name();
        let common_name = common_names.next().filter(|_| common_names.next().is_none());
        Ok(Seen {
            subject: cert.subject().to_string(),
            issuer: cert.issuer().to_string(),
            not_before: cert.validity().not_before.timestamp(),
            not_after: cert.validity().not_after.timestamp(),
            authority: cert.is_ca(),
            path_length: constraints.and_then(|extension| extension.value.path_len_constraint),
            client: uses.is_some_and(|uses| uses.client_auth || uses.any),
            server: uses.is_some_and(|uses| uses.server_auth || uses.any),
            names: names.filter_map(name).collect(),
            common_name: common_name.and_then(|name| name.as_str().ok()).map(str::to_owned),
            public_key: cert.public_key().raw.to_vec(),
        })
    }

    /// The holder, for a new certificate like this one. None for an authority, and for what is both or neither of
    /// client and server: such a one is not made here.
    pub fn holder(&self) -> Option<Holder> {
        let usage = match (self.client, self.server) {
            _ if self.authority => return None,
            (true, false) => Usage::Client,
            (false, true) => Usage::Server,
            _ => return None,
        };
        Some(Holder { common_name: self.common_name.clone()?, usage, names: self.names.clone() })
    }
}

fn name(name: &GeneralName<'_>) -> Option<Name> {
    match name {
        GeneralName::DNSName(host) => Some(Name::Dns((*host).to_owned())),
        GeneralName::URI(uri) => Some(Name::Uri((*uri).to_owned())),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(Name::Ip)
        }
        _ => None,
    }
}
