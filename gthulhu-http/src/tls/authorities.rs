//! The authorities that we trust, and whether a chain of certificates leads to one of them.

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::{CertificateError, OtherError};
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::provider;
use crate::certs::Seen;

/// Trusted authorities. None are trusted by default.
#[derive(Debug, Default)]
pub(super) struct Authorities {
    anchors: Vec<TrustAnchor<'static>>,
    /// What each certificate says besides name and key, in the same order.
    terms: Vec<Terms>,
}

/// The terms on which an authority is one.
#[derive(Debug)]
struct Terms {
    not_before: i64,
    not_after: i64,
    path_length: Option<u32>,
}

impl Authorities {
    /// All of them, or why one is none.
    pub(super) fn new(certificates: &[CertificateDer<'_>]) -> Result<Authorities, String> {
        let mut authorities = Authorities::default();
        for certificate in certificates {
            let seen = Seen::from_der(certificate).map_err(|error| error.to_string())?;
            if !seen.authority {
                return Err(format!("{} is no authority", seen.subject));
            }
            let anchor = webpki::anchor_from_trusted_cert(certificate)
                .map_err(|error| format!("{} cannot be trusted: {error}", seen.subject))?;
            authorities.anchors.push(anchor.to_owned());
            authorities.terms.push(Terms {
                not_before: seen.not_before,
                not_after: seen.not_after,
                path_length: seen.path_length,
            });
        }
        Ok(authorities)
    }

    /// When the first of them ends, Unix seconds; none if there are none.
    pub(super) fn not_after(&self) -> Option<i64> {
        self.terms.iter().map(|terms| terms.not_after).min()
    }

    /// Whether one of them is one now, in Unix seconds.
    pub(super) fn any_is_valid(&self, now: i64) -> bool {
        self.terms.iter().any(|terms| (terms.not_before..=terms.not_after).contains(&now))
    }

    /// Whether the chain leads from `end` to one of them now, and `end` is made for this use. Names are not looked at. Gives
    /// the moment, in Unix seconds, from which on that has to be asked again: when the first certificate on the way is over.
    pub(super) fn vouch(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<i64, rustls::Error> {
        let mut until = over(end)?;
        let end = EndEntityCert::try_from(end).map_err(refusal)?;
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let on_terms = |path: &VerifiedPath<'_>| self.on_terms(path, seconds);
        let algorithms = provider().signature_verification_algorithms.all;
        let path = end
            .verify_for_usage(algorithms, &self.anchors, between, now, usage, None, Some(&on_terms))
            .map_err(refusal)?;
        for certificate in path.intermediate_certificates() {
            until = until.min(over(&certificate.der())?);
        }
        // Of an authority that is there twice one certificate is enough.
        let anchor = self.terms_of(path.anchor()).map(|terms| terms.not_after).max();
        Ok(anchor.map_or(until, |anchor| until.min(anchor)))
    }

    fn terms_of(&self, anchor: &TrustAnchor<'_>) -> impl Iterator<Item = &Terms> {
        let anchors = self.anchors.iter().zip(&self.terms);
        anchors.filter(move |(known, _)| *known == anchor).map(|(_, terms)| terms)
    }

    /// webpki takes an authority's name and key from its certificate and nothing else; the rest is for us to hold it to.
    fn on_terms(&self, path: &VerifiedPath<'_>, now: i64) -> Result<(), webpki::Error> {
        let between = path.intermediate_certificates().count();
        let mut verdict = Err(webpki::Error::UnknownIssuer);
        // The same authority may be there twice, with an older certificate and a newer one.
        for terms in self.terms_of(path.anchor()) {
            verdict = match terms {
                Terms { path_length: Some(most), .. } if between > *most as usize => {
                    Err(webpki::Error::PathLenConstraintViolated)
                }
                Terms { not_before, not_after, .. } if !(*not_before..=*not_after).contains(&now) => {
                    Err(webpki::Error::InvalidCertValidity)
                }
                _ => return Ok(()),
            };
        }
        verdict
    }
}

/// When the certificate is over, Unix seconds.
fn over(certificate: &CertificateDer<'_>) -> Result<i64, rustls::Error> {
    let seen = Seen::from_der(certificate);
    seen.map(|seen| seen.not_after).map_err(|_| CertificateError::BadEncoding.into())
}

/// The library's reason as one that makes the right alert.
fn refusal(error: webpki::Error) -> rustls::Error {
    use webpki::Error as Why;
    let refusal = match error {
        Why::BadDer | Why::BadDerTime | Why::TrailingData(_) => CertificateError::BadEncoding,
        Why::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        Why::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        Why::UnknownIssuer => CertificateError::UnknownIssuer,
        Why::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    rustls::Error::InvalidCertificate(refusal)
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    /// Parameters of a certificate that ends with this year.
    fn until(year: i32, authority: bool) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("of {year}"));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        if authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }

    #[test]
    fn a_chain_is_good_until_the_first_of_it_is_over() {
        let now = UnixTime::now();
        for (root, between, end) in [(2101, 2102, 2103), (2102, 2101, 2103), (2103, 2102, 2101)] {
            let keys = [(); 3].map(|()| KeyPair::generate().unwrap());
            let params = [until(root, true), until(between, true), until(end, false)];
            let anchor = params[0].self_signed(&keys[0]).unwrap();
            let first = Issuer::from_params(&params[0], &keys[0]);
            let middle = params[1].signed_by(&keys[1], &first).unwrap();
            let second = Issuer::from_params(&params[1], &keys[1]);
            let last = params[2].signed_by(&keys[2], &second).unwrap();
            let authorities = Authorities::new(&[anchor.der().clone()]).unwrap();
            let vouched =
                authorities.vouch(last.der(), &[middle.der().clone()], now, KeyUsage::client_auth());
            assert_eq!(
                vouched.unwrap(),
                date_time_ymd(2101, 1, 1).unix_timestamp(),
                "{root} {between} {end}"
            );
        }
    }
}
