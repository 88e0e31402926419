//! The `Authorization` header, and the token in it.
//!
//! Property: nothing panics; and of all tokens exactly those are accepted that the key signed, byte for byte: no edit,
//! no other header, no other claims under an old signature, no signature of another key. The verifier that remembers
//! tokens says the same as the one that does not.
#![no_main]

use std::sync::{Arc, LazyLock};

use gthulhu_http::call::{Bearer, Head};
use gthulhu_http::keys::PublicKey;
use gthulhu_http::tokens::{RememberingVerifier, Verifier};
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Signed by the key, and good until the year 2100.
const GOOD: &str = include_str!("token/good").trim_ascii_end();
/// The same claims, signed by another key. Both private halves were thrown away.
const FOREIGN: &str = include_str!("token/foreign").trim_ascii_end();

static VERIFIERS: LazyLock<(Verifier, RememberingVerifier<Value>)> = LazyLock::new(|| {
    let key = PublicKey::from_pem(include_str!("token/key.pem")).expect("it is a public key");
    let verifier = Verifier::new(&key);
    let remembering = RememberingVerifier::new(verifier.clone());
    assert!(verifier.verify::<Value>(GOOD).is_ok() && remembering.verify(GOOD).is_ok());
    (verifier, remembering)
});

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let value = match kind {
        // A good token with bytes replaced: where, in two bytes, and by which.
        b'e' => {
            let mut token = GOOD.to_owned().into_bytes();
            let len = token.len();
            for edit in rest.chunks_exact(3) {
                token[usize::from(u16::from_le_bytes([edit[0], edit[1]])) % len] = edit[2];
            }
            bearer(&token)
        }
        // A good token, or one of another key, with parts replaced: header, claims and signature, with a NUL between
        // each two. What is empty stays as it is.
        b's' | b'f' => {
            let token = if *kind == b's' { GOOD } else { FOREIGN };
            let new = rest.split(|&byte| byte == 0).chain([&b""[..]; 3]);
            let parts = token.split('.').zip(new);
            let parts = parts.map(|(own, new)| if new.is_empty() { own.to_owned() } else { base64(new) });
            bearer(parts.collect::<Vec<_>>().join(".").as_bytes())
        }
        // The header's value as it is.
        _ => rest.to_vec(),
    };
    let Ok(value) = HeaderValue::from_bytes(&value) else { return };
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let peer = ([127, 0, 0, 1], 1).into();
    let head = Head::new(Method::GET, "/".parse().expect("a path"), headers, peer);
    if let Bearer::Token(token) = head.bearer() {
        let (verifier, remembering) = &*VERIFIERS;
        let (plain, remembered) =
            (verifier.verify::<Value>(token), remembering.verify(token).map(Arc::unwrap_or_clone));
        assert_eq!(plain, remembered);
        assert_eq!(plain.is_ok(), token == GOOD, "{plain:?} for {token}");
    }
});

fn bearer(token: &[u8]) -> Vec<u8> {
    [b"Bearer ", token].concat()
}

/// Base64 for URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            let index = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(DIGITS[index as usize]));
        }
    }
    text
}
