//! A small certificate authority for mutual TLS between manager and decision makers: P-256, made once at first start. It
//! issues certificates for clients or for servers, never for both: whoever holds a node's key is no manager.

mod seen;

use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};

pub use seen::Seen;

/// How long an authority's certificate is good for, in years.
pub const CA_YEARS: i32 = 10;
/// How long an issued certificate is good for, in years.
pub const CLIENT_YEARS: i32 = 2;

/// A certificate could not be made or read. No message holds any part of a key.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    /// It could not be made; the cause is the library's.
    #[error("cannot make a certificate for `{common_name}`: {source}")]
    Make {
        /// For whom.
        common_name: String,
        /// What the library says.
        source: rcgen::Error,
    },
    /// The text is no certificate that can be read.
    #[error("not a certificate in PEM: {0}")]
    Unreadable(String),
    /// The certificate of an authority is not one, or the key is not its key.
    #[error("not an authority: {0}")]
    NoAuthority(&'static str),
}

/// A certificate authority with its key.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    cert_pem: String,
}

/// What a certificate says about its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The name in the subject.
    pub common_name: String,
    /// What it may be used for.
    pub usage: Usage,
    /// The alternative names; of a server, what its callers may call it.
    pub names: Vec<Name>,
}

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// To call.
    Client,
    /// To be called.
    Server,
}

/// An alternative name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A host's name.
    Dns(String),
    /// A host's address.
    Ip(IpAddr),
    /// An identity, such as `gthulhu://cluster/node/n1`.
    Uri(String),
}

/// A certificate and its key, both PEM. The key is a secret.
pub struct Issued {
    /// `CERTIFICATE`
    pub cert_pem: String,
    /// `PRIVATE KEY` (PKCS#8)
    pub key_pem: String,
}

impl Ca {
    /// A new authority, good for [`CA_YEARS`] years, that may issue end certificates only.
    pub fn generate(common_name: &str) -> Result<Ca, CertError> {
        let failed = |source| CertError::Make { common_name: common_name.to_owned(), source };
        let key = new_key().map_err(failed)?;
        let mut params = params(common_name, CA_YEARS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let cert_pem = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Ca { issuer: Issuer::new(params, key), cert_pem })
    }

    /// The authority of this certificate, whose key this must be: one that was made here, or with openssl.
    pub fn load(cert_pem: &str, key_pem: &str) -> Result<Ca, CertError> {
        let seen = Seen::from_pem(cert_pem)?;
        if !seen.authority {
            return Err(CertError::NoAuthority("the certificate is of someone else"));
        }
        let key = KeyPair::from_pem(key_pem).map_err(|_| CertError::NoAuthority("the key cannot be read"))?;
        if rcgen::PublicKeyData::subject_public_key_info(&key) != seen.public_key {
            return Err(CertError::NoAuthority("the key is not the certificate's"));
        }
        let issuer = Issuer::from_ca_cert_pem(cert_pem, key)
            .map_err(|_| CertError::NoAuthority("the certificate cannot be issued from"))?;
        Ok(Ca { issuer, cert_pem: cert_pem.to_owned() })
    }

    /// A client certificate with this common name, good for [`CLIENT_YEARS`] years; no server may use it.
    pub fn issue_client(&self, common_name: &str) -> Result<Issued, CertError> {
        let common_name = common_name.to_owned();
        self.issue(&Holder { common_name, usage: Usage::Client, names: Vec::new() })
    }

    /// A certificate for this holder with a new key, good for [`CLIENT_YEARS`] years.
    pub fn issue(&self, holder: &Holder) -> Result<Issued, CertError> {
        let failed = |source| CertError::Make { common_name: holder.common_name.clone(), source };
        let key = new_key().map_err(failed)?;
        let mut params = params(&holder.common_name, CLIENT_YEARS);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match holder.usage {
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        let name = |name: &Name| {
            Ok(match name {
                Name::Dns(host) => SanType::DnsName(host.as_str().try_into()?),
                Name::Ip(address) => SanType::IpAddress(*address),
                Name::Uri(uri) => SanType::URI(uri.as_str().try_into()?),
            })
        };
        params.subject_alt_names =
            holder.names.iter().map(name).collect::<Result<_, rcgen::Error>>().map_err(failed)?;
        let cert = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Issued { cert_pem: cert.pem(), key_pem: key.serialize_pem() })
    }

    /// The authority's certificate, PEM `CERTIFICATE`: what both sides trust.
    pub fn cert_pem(&self) -> String {
        self.cert_pem.clone()
    }

    /// The authority's key, PEM `PRIVATE KEY` (PKCS#8). A secret: whoever has it is any manager.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }
}

fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

fn params(common_name: &str, years: i32) -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    let midnight = |date: Date| {
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    // A day early, for readers whose clock is behind ours.
    params.not_before = midnight(today.saturating_sub(1.day()));
    params.not_after = midnight(today.saturating_add(years.years()));
    params
}

#[cfg(test)]
mod tests;
