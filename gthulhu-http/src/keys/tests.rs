//! Keys are made once per test run: they take time and nothing here changes them.

use std::sync::OnceLock;

use super::*;

/// The public half of the pair published with the Go project, the only key whose bytes stand in this repository:
/// it is here to be refused.
const PUBLISHED_PEM: &str = include_str!("../../tests/fixtures/published.pub");

/// One of two keys of this test run.
pub(crate) fn sample(index: usize) -> &'static PrivateKey {
    static KEYS: [OnceLock<PrivateKey>; 2] = [const { OnceLock::new() }; 2];
    KEYS[index].get_or_init(|| PrivateKey::generate().unwrap())
}

/// The same key as `PRIVATE KEY` (PKCS#8).
fn pkcs8_pem(key: &PrivateKey) -> String {
    let algorithm =
        AlgorithmIdentifierRef { oid: pkcs1::ALGORITHM_OID, parameters: Some(pkcs1::der::asn1::Null.into()) };
    let der = pkcs8::PrivateKeyInfo::new(algorithm, key.pkcs1_der()).to_der().unwrap();
    armour::encode("PRIVATE KEY", &der)
}

/// PKCS#1 bytes of a key of this size, made here because the product makes none so small.
fn other_size(bits: usize) -> Vec<u8> {
    let key = rsa::RsaPrivateKey::new(&mut rand_core::OsRng, bits).unwrap();
    key.to_pkcs1_der().unwrap().as_bytes().to_vec()
}

#[test]
fn two_keys_have_nothing_in_common() {
    let (a, b) = (sample(0), sample(1));
    assert_ne!(a.pkcs1_der(), b.pkcs1_der());
    assert_ne!(a.public(), b.public());
    assert_ne!(a.public().fingerprint(), b.public().fingerprint());
    assert!(!a.public().is_published());
}

#[test]
fn pem_round_trips_keep_the_key() {
    let key = sample(0);
    for pem in [key.to_pem(), pkcs8_pem(key), format!("made yesterday\n\n{}\n", key.to_pem())] {
        let read = PrivateKey::from_pem(&pem).unwrap();
        assert_eq!(read.pkcs1_der(), key.pkcs1_der());
        assert_eq!(read.public(), key.public());
    }
    let label = "RSA PRIVATE KEY";
    assert!(key.to_pem().starts_with(&format!("-----BEGIN {label}-----\n")));
    let public = key.public().to_pem();
    assert!(
        public.starts_with("-----BEGIN PUBLIC KEY-----\n") && public.ends_with("-----END PUBLIC KEY-----\n")
    );
    assert_eq!(&PublicKey::from_pem(&public).unwrap(), key.public());
    assert_eq!(&PublicKey::from_pem(&public.replace('\n', "\r\n")).unwrap(), key.public());
}

#[test]
fn refusals_say_what_was_wrong() {
    let key = sample(0);
    let label = |pem: String, from: &str, to: &str| pem.replace(from, to);
    let locked = label(key.to_pem(), "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\n");
    let locked = label(
        locked,
        "END RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\n",
        "END RSA PRIVATE KEY-----\n",
    );
    let cases = [
        (String::new(), "not a PEM text"),
        ("...".to_owned(), "not a PEM text"),
        ("/etc/gthulhu/key.pem".to_owned(), "not a PEM text"),
        (key.public().to_pem(), "PEM block is `PUBLIC KEY`; expected `RSA PRIVATE KEY` or `PRIVATE KEY`"),
        (label(key.to_pem(), "RSA PRIVATE", "EC PRIVATE"), "PEM block is `EC PRIVATE KEY`; expected"),
        (label(key.to_pem(), "RSA PRIVATE", "ENCRYPTED PRIVATE"), "private key is encrypted"),
        (locked, "private key is encrypted"),
        (
            label(key.to_pem(), "RSA PRIVATE", "PRIVATE"),
            "PEM block `PRIVATE KEY` does not hold a valid RSA key",
        ),
        (armour::encode("RSA PRIVATE KEY", b"\x30\x03\x02\x01\x00"), "`RSA PRIVATE KEY` does not hold"),
        (
            armour::encode("RSA PRIVATE KEY", &other_size(1024)),
            "RSA key has 1024 bits; at least 2048 are needed",
        ),
    ];
    for (pem, want) in cases {
        let error = PrivateKey::from_pem(&pem).unwrap_err().to_string();
        assert!(error.contains(want), "{error:?} should say {want:?}");
    }
}

#[test]
fn a_private_key_whose_parts_disagree_is_refused() {
    let mut der = sample(0).pkcs1_der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let error = PrivateKey::from_pem(&armour::encode("RSA PRIVATE KEY", &der)).unwrap_err();
    assert_eq!(error, KeyError::Malformed { label: "RSA PRIVATE KEY".into() });
}

#[test]
fn public_keys_are_checked_too() {
    let small = pkcs1::RsaPrivateKey::try_from(&*other_size(1024)).unwrap().public_key().to_der().unwrap();
    let small = PublicKey { der: small }.to_pem();
    assert_eq!(PublicKey::from_pem(&small), Err(KeyError::TooSmall { bits: 1024 }));
    let error = PublicKey::from_pem(&sample(0).to_pem()).unwrap_err().to_string();
    assert_eq!(error, "PEM block is `RSA PRIVATE KEY`; expected `PUBLIC KEY`");
    let curve = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().public_key_pem();
    assert_eq!(PublicKey::from_pem(&curve), Err(KeyError::Malformed { label: "PUBLIC KEY".into() }));
}

#[test]
fn the_published_key_is_refused_by_the_name_of_its_setting() {
    let key = PublicKey::from_pem(PUBLISHED_PEM).unwrap();
    assert!(key.is_published());
    assert_eq!(key.to_pem(), PUBLISHED_PEM);
    let error = key.refuse_published("key.dm_public_key_pem").unwrap_err().to_string();
    assert!(error.starts_with("key.dm_public_key_pem is the published example key"), "{error}");
    assert_eq!(sample(0).public().refuse_published("key.dm_public_key_pem"), Ok(()));
}

#[test]
fn debug_output_holds_no_key_material() {
    let key = sample(0);
    let shown = format!("{key:?}");
    assert!(shown.contains("sha256:"), "{shown}");
    assert!(shown.len() < 200, "{shown}");
    for chunk in key.pkcs1_der().windows(8) {
        assert!(
            !shown.contains(&chunk.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))),
            "{shown}"
        );
        assert!(!shown.contains(&format!("{chunk:?}")), "{shown}");
    }
}
