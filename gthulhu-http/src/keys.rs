//! RSA keys for tokens: made here, read from PEM, written as PEM, compared by fingerprint.
//!
//! `ring` does everything that touches a private key after its birth. It cannot make RSA keys, so the crate
//! `rsa` is called for that, in [`PrivateKey::generate`] and nowhere else.

mod armour;

use std::fmt;

use pkcs1::der::asn1::UintRef;
use pkcs1::der::{Decode, Encode};
use pkcs8::spki::AlgorithmIdentifierRef;
use ring::digest::{SHA256, digest};
use ring::signature::RsaKeyPair;
use rsa::pkcs1::EncodeRsaPrivateKey;

/// The smallest modulus accepted, in bits; also the size of the keys made here.
pub const MIN_BITS: usize = 2048;
/// The largest private modulus accepted, in bits: `ring` signs with no larger one.
pub const MAX_PRIVATE_BITS: usize = 4096;
/// The largest public modulus accepted, in bits.
pub const MAX_PUBLIC_BITS: usize = 8192;

/// Fingerprint of the key pair that the Go project publishes in its repository. Anybody can sign with it.
const PUBLISHED: [u8; 32] = [
    0x2b, 0x5e, 0x21, 0x23, 0x30, 0xe3, 0x63, 0x06, 0x21, 0xeb, 0x4e, 0x68, 0x27, 0x40, 0xd1, 0x1b, //
    0xee, 0x55, 0x7b, 0x90, 0x18, 0x39, 0xcb, 0x3d, 0xb8, 0xb9, 0x49, 0x18, 0xb7, 0x29, 0x5f, 0xc1,
];

/// Why a key was refused. No message holds any part of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text has no PEM block at all, or its base64 is damaged.
    #[error("not a PEM text")]
    NotPem,
    /// The text has a PEM block of another type; both are named.
    #[error("PEM block is `{found}`; expected {expected}")]
    WrongType {
        /// The label of the block found.
        found: String,
        /// The labels that are accepted.
        expected: &'static str,
    },
    /// The private key is locked with a passphrase.
    #[error("private key is encrypted; a key without a passphrase is needed")]
    Encrypted,
    /// The block holds no RSA key, or a damaged one.
    #[error("PEM block `{label}` does not hold a valid RSA key")]
    Malformed {
        /// The label of the block.
        label: String,
    },
    /// The modulus is smaller than [`MIN_BITS`].
    #[error("RSA key has {bits} bits; at least {MIN_BITS} are needed")]
    TooSmall {
        /// Bits of the modulus found.
        bits: usize,
    },
    /// The modulus is larger than can be used.
    #[error("RSA key has {bits} bits; at most {max} can be used")]
    TooLarge {
        /// Bits of the modulus found.
        bits: usize,
        /// The limit for this kind of key.
        max: usize,
    },
    /// The key is the one published with the Go project.
    #[error("{config_key} is the published example key: anybody can sign with it; make one of your own")]
    Published {
        /// The configuration key that holds it.
        config_key: String,
    },
    /// The random source gave no key.
    #[error("cannot generate an RSA key")]
    Generate,
}

/// An RSA private key that `ring` has checked and can sign with. Its `Debug` shows no key material.
#[derive(Clone)]
pub struct PrivateKey {
    /// RSAPrivateKey of PKCS#1, DER.
    der: Vec<u8>,
    public: PublicKey,
}

/// An RSA public key. Two are equal when modulus and exponent are.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// RSAPublicKey of PKCS#1, DER; DER is unique, so equal bytes are equal keys.
    der: Vec<u8>,
}

impl PrivateKey {
    /// A new key of [`MIN_BITS`] bits. Takes up to some seconds of CPU: keep it off asynchronous threads.
    pub fn generate() -> Result<PrivateKey, KeyError> {
        let key = rsa::RsaPrivateKey::new(&mut rand_core::OsRng, MIN_BITS).map_err(|_| KeyError::Generate)?;
        let der = key.to_pkcs1_der().map_err(|_| KeyError::Generate)?;
        PrivateKey::from_pkcs1(der.as_bytes(), armour::PKCS1_PRIVATE)
    }

    /// Reads the first block of a PEM text, which must be an `RSA PRIVATE KEY` (PKCS#1) or `PRIVATE KEY` (PKCS#8).
    pub fn from_pem(text: &str) -> Result<PrivateKey, KeyError> {
        let block = armour::private_block(text)?;
        if block.tag() == armour::PKCS1_PRIVATE {
            return PrivateKey::from_pkcs1(block.contents(), block.tag());
        }
        let malformed = || KeyError::Malformed { label: block.tag().to_owned() };
        let info = pkcs8::PrivateKeyInfo::try_from(block.contents()).map_err(|_| malformed())?;
        info.algorithm.assert_algorithm_oid(pkcs1::ALGORITHM_OID).map_err(|_| malformed())?;
        PrivateKey::from_pkcs1(info.private_key, block.tag())
    }

    fn from_pkcs1(der: &[u8], label: &str) -> Result<PrivateKey, KeyError> {
        let malformed = || KeyError::Malformed { label: label.to_owned() };
        let parts = pkcs1::RsaPrivateKey::try_from(der).map_err(|_| malformed())?;
        check_size(&parts.modulus, MAX_PRIVATE_BITS)?;
        let public = parts.public_key().to_der().map_err(|_| malformed())?;
        // The consistency of the parts with each other is ring's to judge, as ring is what signs.
        RsaKeyPair::from_der(der).map_err(|_| malformed())?;
        Ok(PrivateKey { der: der.to_vec(), public: PublicKey { der: public } })
    }

    /// The key as PEM, `RSA PRIVATE KEY` (PKCS#1). A secret: write it with [`crate::files::write_atomic`], 0600.
    pub fn to_pem(&self) -> String {
        armour::encode(armour::PKCS1_PRIVATE, &self.der)
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// RSAPrivateKey of PKCS#1 in DER, as the token signer wants it.
    pub(crate) fn pkcs1_der(&self) -> &[u8] {
        &self.der
    }
}

impl PublicKey {
    /// Reads the first block of a PEM text, which must be a `PUBLIC KEY` (PKIX).
    pub fn from_pem(text: &str) -> Result<PublicKey, KeyError> {
        let block = armour::public_block(text)?;
        let malformed = || KeyError::Malformed { label: block.tag().to_owned() };
        let info = pkcs8::SubjectPublicKeyInfoRef::try_from(block.contents()).map_err(|_| malformed())?;
        info.algorithm.assert_algorithm_oid(pkcs1::ALGORITHM_OID).map_err(|_| malformed())?;
        let der = info.subject_public_key.as_bytes().ok_or_else(malformed)?;
        let parts = pkcs1::RsaPublicKey::from_der(der).map_err(|_| malformed())?;
        check_size(&parts.modulus, MAX_PUBLIC_BITS)?;
        Ok(PublicKey { der: der.to_vec() })
    }

    /// The key as PEM, `PUBLIC KEY` (PKIX).
    pub fn to_pem(&self) -> String {
        armour::encode(armour::PKIX_PUBLIC, &self.spki())
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, &self.spki()).as_ref());
        out
    }

    /// Whether this is the key pair that the Go project publishes.
    pub fn is_published(&self) -> bool {
        self.fingerprint() == PUBLISHED
    }

    /// Refuses the published key; the error names `config_key`, e.g. `key.rsa_private_key_pem`.
    pub fn refuse_published(&self, config_key: &str) -> Result<(), KeyError> {
        if self.is_published() {
            return Err(KeyError::Published { config_key: config_key.to_owned() });
        }
        Ok(())
    }

    /// RSAPublicKey of PKCS#1 in DER, as the token verifier wants it.
    pub(crate) fn pkcs1_der(&self) -> &[u8] {
        &self.der
    }

    /// Modulus and exponent, big-endian, without leading zeros.
    pub(crate) fn numbers(&self) -> (Vec<u8>, Vec<u8>) {
        let key = pkcs1::RsaPublicKey::from_der(&self.der).expect("it was read from DER");
        (key.modulus.as_bytes().to_vec(), key.public_exponent.as_bytes().to_vec())
    }

    fn spki(&self) -> Vec<u8> {
        let algorithm = AlgorithmIdentifierRef {
            oid: pkcs1::ALGORITHM_OID,
            parameters: Some(pkcs1::der::asn1::Null.into()),
        };
        let subject_public_key = pkcs1::der::asn1::BitStringRef::from_bytes(&self.der)
            .expect("a key of at most 8192 bits is far below the limit of DER lengths");
        pkcs8::SubjectPublicKeyInfoRef { algorithm, subject_public_key }
            .to_der()
            .expect("every part was read from DER")
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey(sha256:")?;
        self.fingerprint().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, ")")
    }
}

fn check_size(modulus: &UintRef<'_>, max: usize) -> Result<(), KeyError> {
    let bytes = modulus.as_bytes();
    let leading = bytes.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = bytes.len() * 8 - leading;
    match bits {
        _ if bits < MIN_BITS => Err(KeyError::TooSmall { bits }),
        _ if bits > max => Err(KeyError::TooLarge { bits, max }),
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
