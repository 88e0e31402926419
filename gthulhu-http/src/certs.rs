//! A small certificate authority for mutual TLS between manager and decision makers: P-256, made once at first start.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

/// How long an authority's certificate is good for, in years.
pub const CA_YEARS: i32 = 10;
/// How long an issued certificate is good for, in years.
pub const CLIENT_YEARS: i32 = 2;

/// A certificate could not be made; the cause is the library's.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a certificate for `{common_name}`: {source}")]
pub struct CertError {
    common_name: String,
    source: rcgen::Error,
}

/// A certificate authority with its key.
pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
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
        let failed = |source| CertError { common_name: common_name.to_owned(), source };
        let key = new_key().map_err(failed)?;
        let mut params = params(common_name, CA_YEARS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Ca { issuer: CertifiedIssuer::self_signed(params, key).map_err(failed)? })
    }

    /// A client certificate with this common name, good for [`CLIENT_YEARS`] years; no server may use it.
    pub fn issue_client(&self, common_name: &str) -> Result<Issued, CertError> {
        let failed = |source| CertError { common_name: common_name.to_owned(), source };
        let key = new_key().map_err(failed)?;
        let mut params = params(common_name, CLIENT_YEARS);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let cert = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Issued { cert_pem: cert.pem(), key_pem: key.serialize_pem() })
    }

    /// The authority's certificate, PEM `CERTIFICATE`: what both sides trust.
    pub fn cert_pem(&self) -> String {
        self.issuer.pem()
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
