//! `ring` as the crypto library of `jsonwebtoken`, for RS256 alone: whatever else a token asks for has no code here.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        check(*algorithm, key.family())?;
        let pair =
            RsaKeyPair::from_der(key.as_bytes()).map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?;
        Ok(Box::new(RingSigner(pair)))
    },
    verifier_factory: |algorithm, key| {
        check(*algorithm, key.family())?;
        Ok(Box::new(RingVerifier(key.try_get_as_bytes()?.to_vec())))
    },
    // Only JWK handling calls these; we have none.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes `ring` the process's provider. The first call wins; later ones change nothing.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    // An error means that a provider is installed already, which only this function does.
    ONCE.call_once(|| {
        let _ = RING.install_default();
    });
}

/// Refuses every algorithm but RS256, and keys of another family: the guard against an HMAC over a public key.
fn check(algorithm: Algorithm, family: AlgorithmFamily) -> Result<(), Error> {
    if algorithm == Algorithm::RS256 && family == AlgorithmFamily::Rsa {
        return Ok(());
    }
    Err(Error::from(ErrorKind::InvalidAlgorithm))
}

struct RingSigner(RsaKeyPair);

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let mut out = vec![0; self.0.public().modulus_len()];
        // The random numbers blind the computation against timing; the signature does not depend on them.
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut out)
            .map_err(|_| signature::Error::new())?;
        Ok(out)
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

/// Holds RSAPublicKey of PKCS#1 in DER.
struct RingVerifier(Vec<u8>);

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0)
            .verify(message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}
