//! PEM around keys: which blocks are taken, and errors that say what was found instead.

use super::KeyError;

/// RSAPrivateKey, as `openssl genrsa -traditional` writes it.
pub(super) const PKCS1_PRIVATE: &str = "RSA PRIVATE KEY";
/// PrivateKeyInfo, as `openssl genpkey` writes it.
const PKCS8_PRIVATE: &str = "PRIVATE KEY";
const PKCS8_ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// SubjectPublicKeyInfo, as `openssl pkey -pubout` writes it.
pub(super) const PKIX_PUBLIC: &str = "PUBLIC KEY";

/// The first block of a text that should hold a private key.
pub(super) fn private_block(text: &str) -> Result<pem::Pem, KeyError> {
    let block = pem::parse(text).map_err(|_| KeyError::NotPem)?;
    // `Proc-Type: 4,ENCRYPTED` is how PKCS#1 files say that they are locked.
    let locked = block.headers().get("Proc-Type").is_some_and(|value| value.contains("ENCRYPTED"));
    match block.tag() {
        PKCS8_ENCRYPTED => Err(KeyError::Encrypted),
        PKCS1_PRIVATE | PKCS8_PRIVATE if locked => Err(KeyError::Encrypted),
        PKCS1_PRIVATE | PKCS8_PRIVATE => Ok(block),
        other => Err(KeyError::WrongType {
            found: other.to_owned(),
            expected: "`RSA PRIVATE KEY` or `PRIVATE KEY`",
        }),
    }
}

/// The first block of a text that should hold a public key.
pub(super) fn public_block(text: &str) -> Result<pem::Pem, KeyError> {
    let block = pem::parse(text).map_err(|_| KeyError::NotPem)?;
    match block.tag() {
        PKIX_PUBLIC => Ok(block),
        other => Err(KeyError::WrongType { found: other.to_owned(), expected: "`PUBLIC KEY`" }),
    }
}

/// A block with one trailing newline and Unix line ends.
pub(super) fn encode(label: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), config)
}
