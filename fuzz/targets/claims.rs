//! The claims of tokens that the right key did sign. Each costs a signature, so this one is slow.
//!
//! Property: no claims make the verifier panic, and it accepts none but those that name their issuer and subject and
//! are good now: whole numbers for `exp`, `nbf` and `iat`, the first not over, the others not to come.
#![no_main]

use std::sync::LazyLock;

use gthulhu_http::keys::PrivateKey;
use gthulhu_http::time::unix_now;
use gthulhu_http::tokens::{LEEWAY_SECONDS, Signer, Verifier};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

static KEY: LazyLock<(Signer, Verifier)> = LazyLock::new(|| {
    let key = PrivateKey::generate().expect("a key can be made");
    (Signer::new(&key), Verifier::new(key.public()))
});

// Making the key takes longer than any input may.
fuzz_target!(init: LazyLock::force(&KEY), |data: &str| {
    let now = unix_now();
    let Some(claims) = claims(data, now) else { return };
    let token = KEY.0.sign(&claims).expect("JSON can be signed");
    let Ok(accepted) = KEY.1.verify::<Value>(&token) else { return };
    assert_eq!(accepted, claims);
    // One second more, which may have passed since.
    let (now, leeway) = (u64::try_from(now).expect("after 1970"), LEEWAY_SECONDS + 1);
    for name in ["iss", "sub"] {
        assert!(claims[name].as_str().is_some_and(|text| !text.is_empty()), "{name} in {claims}");
    }
    let time = |name: &str| claims[name].as_u64().unwrap_or_else(|| panic!("{name} in {claims}"));
    assert!(time("exp").saturating_add(leeway) >= now, "over: {claims}");
    assert!(time("nbf") <= now + leeway && time("iat") <= now + leeway, "to come: {claims}");
});

/// Claims as JSON, or one digit that names a claim, one letter that says how it is written, and its value: the other
/// claims are good then.
fn claims(text: &str, now: i64) -> Option<Value> {
    let name = match text.chars().next()? {
        digit @ '0'..='4' => ["iss", "sub", "exp", "nbf", "iat"][digit.to_digit(5)? as usize],
        _ => return serde_json::from_str(text).ok(),
    };
    let (kind, value) = text[1..].split_at_checked(1)?;
    let from_now = || Some(now.saturating_add(value.parse().ok()?));
    let mut claims = json!({ "iss": "gthulhu", "sub": "u1", "exp": now + 600, "nbf": now, "iat": now });
    claims[name] = match kind {
        "f" => json!(from_now()?),
        "s" => json!(from_now()?.to_string()),
        "l" => json!([from_now()?]),
        "r" => json!(from_now()? as f64),
        "t" => json!(value),
        _ => serde_json::from_str(value).ok()?,
    };
    Some(claims)
}
