//! The states that a credential can be in, none of which opens a door but the last: one who must change his password is
//! known.

use std::sync::LazyLock;

use gthulhu_http::keys::PrivateKey;
use gthulhu_http::testkit::TestClient;
use gthulhu_http::time::unix_now;
use gthulhu_http::tokens::Signer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::people::{ALICE, ERIN, FRANK};
use crate::rig::{KEYS, Rig, claims, token};

pub(super) const NAMES: [&str; 16] = [
    "none",
    "garbage",
    "wrong-scheme",
    "expired",
    "not-yet-valid",
    "string-exp",
    "other-key",
    "alg-none",
    "alg-hs256-with-the-public-key",
    "wrong-issuer",
    "wrong-audience",
    "refresh-token",
    "decision-makers-token",
    "revoked",
    "inactive-user",
    "must-change",
];

/// Somebody else's key. Making one takes long.
static OTHER: LazyLock<Signer> = LazyLock::new(|| Signer::new(&PrivateKey::generate().unwrap()));

/// A client for each of [`NAMES`].
pub(super) fn all(rig: &Rig) -> Vec<TestClient> {
    NAMES.iter().map(|name| client(rig, name)).collect()
}

fn client(rig: &Rig, name: &str) -> TestClient {
    let stranger = rig.stranger();
    let (now, hour) = (unix_now(), 3600);
    let valid = token(&claims(ALICE));
    let with = |changes: &[(&str, Value)]| {
        let mut claims = claims(ALICE);
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        stranger.bearer(&token(&claims))
    };
    match name {
        "none" => stranger.clone(),
        "garbage" => stranger.bearer("garbage"),
        "wrong-scheme" => stranger.header("Authorization", &format!("Token {valid}")),
        "expired" => with(&[("exp", json!(now - hour)), ("nbf", json!(now - 2 * hour))]),
        "not-yet-valid" => with(&[("nbf", json!(now + hour))]),
        "string-exp" => with(&[("exp", json!((now + hour).to_string()))]),
        "other-key" => stranger.bearer(&OTHER.sign(&claims(ALICE)).unwrap()),
        "alg-none" => {
            let payload = valid.split('.').nth(1).unwrap();
            stranger.bearer(&format!("{}.{payload}.", base64url(br#"{"typ":"JWT","alg":"none"}"#)))
        }
        "alg-hs256-with-the-public-key" => {
            let payload = valid.split('.').nth(1).unwrap();
            let signed = format!("{}.{payload}", base64url(br#"{"typ":"JWT","alg":"HS256"}"#));
            let key = KEYS.user.signing.public().to_pem();
            let signature = base64url(&hmac_sha256(key.as_bytes(), signed.as_bytes()));
            stranger.bearer(&format!("{signed}.{signature}"))
        }
        "wrong-issuer" => with(&[("iss", json!("decision-maker-service"))]),
        "wrong-audience" => with(&[("aud", json!("another-service"))]),
        "refresh-token" => with(&[("tokenType", json!("refresh"))]),
        "decision-makers-token" => {
            let claims = json!({
                "client_id": "manager-client", "iss": "decision-maker-service", "sub": "manager-client",
                "exp": now + hour, "nbf": now, "iat": now,
            });
            stranger.bearer(&token(&claims))
        }
        "revoked" => with(&[("tokenVersion", json!(7))]),
        "inactive-user" => rig.user(ERIN),
        "must-change" => rig.user(FRANK),
        other => panic!("no credential is called {other}"),
    }
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

/// As RFC 2104 has it.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |byte: u8| block.map(|key| key ^ byte).to_vec();
    let inner = Sha256::digest([padded(0x36), message.to_vec()].concat());
    Sha256::digest([padded(0x5c), inner.to_vec()].concat()).to_vec()
}

#[test]
fn what_is_forged_is_forged_well() {
    assert_eq!(base64url(br#"{"typ":"JWT","alg":"HS256"}"#), "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9");
    assert_eq!(base64url(b"a"), "YQ");
    let tag = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
    assert_eq!(tag[..4], [0x5b, 0xdc, 0xc1, 0x46], "test case 2 of RFC 4231");
}
