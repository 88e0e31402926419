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

    /// Whether the chain leads from `end` to one of them now, and `end` is made for this use. Names are not looked at.
    pub(super) fn vouch(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<(), rustls::Error> {
        let end = EndEntityCert::try_from(end).map_err(refusal)?;
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let on_terms = |path: &VerifiedPath<'_>| self.on_terms(path, seconds);
        let algorithms = provider().signature_verification_algorithms.all;
        end.verify_for_usage(algorithms, &self.anchors, between, now, usage, None, Some(&on_terms))
            .map_err(refusal)?;
        Ok(())
    }

    /// webpki takes an authority's name and key from its certificate and nothing else; the rest is for us to hold it to.
    fn on_terms(&self, path: &VerifiedPath<'_>, now: i64) -> Result<(), webpki::Error> {
        let between = path.intermediate_certificates().count();
        let anchors = self.anchors.iter().zip(&self.terms);
        let mut verdict = Err(webpki::Error::UnknownIssuer);
        // The same authority may be there twice, with an older certificate and a newer one.
        for (_, terms) in anchors.filter(|(anchor, _)| *anchor == path.anchor()) {
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
