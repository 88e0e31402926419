//! Tokens made to be taken for good ones: the practices that RFC 8725 warns of, and signatures, encodings and headers
//! bent in every way. Each is refused, by a verifier and by a set of keys, and a good one beside them passes.

use ring::hmac;
use serde_json::{Value, json};

use super::keyset::base64url;
use super::*;
use crate::keys::tests::sample;
use crate::time::unix_now;

fn claims() -> Value {
    let now = unix_now();
    json!({ "uid": "u1", "iss": "gthulhu", "sub": "u1", "exp": now + 600, "nbf": now, "iat": now })
}

/// A token with this header, signed as it should be by this key.
fn signed(header: &str, claims: &str, key: usize) -> String {
    let part = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
    let signer = EncodingKey::from_rsa_der(sample(key).pkcs1_der());
    Signer::new(sample(key)); // Installs the provider.
    let signature = jsonwebtoken::crypto::sign(part.as_bytes(), &signer, Algorithm::RS256).unwrap();
    format!("{part}.{signature}")
}

fn header(members: &Value) -> String {
    let mut header = json!({ "typ": "JWT", "alg": "RS256", "kid": sample(0).public().kid() });
    for (name, value) in members.as_object().unwrap() {
        header[name] = value.clone();
    }
    header.to_string()
}

/// Whether a set that signs with key 0 and knows key 1 takes the token. It takes none that key 0 alone refuses.
#[track_caller]
fn taken(token: &str) -> bool {
    let alone = Verifier::new(sample(0).public()).verify::<Value>(token);
    let set = KeySet::<Value>::new(sample(0), &[sample(1).public().clone()]).verify(token);
    assert!(alone.is_ok() || set.is_err(), "{alone:?} {set:?}");
    set.is_ok()
}

#[test]
fn what_a_header_may_say_and_what_it_may_not() {
    let jwk = json!({ "kty": "RSA", "n": base64url(&sample(1).public().numbers().0), "e": "AQAB" });
    for (members, good) in [
        (json!({}), true),
        (json!({ "typ": "jwt" }), true),
        // What names another place to look for a key is not looked at.
        (json!({ "jku": "https://attacker.example/keys" }), true),
        (json!({ "cty": "JWT" }), true),
        (json!({ "x": "y" }), true),
        (json!({ "typ": "at+jwt" }), false),
        (json!({ "typ": "" }), false),
        (json!({ "typ": 1 }), false),
        (json!({ "crit": ["exp"] }), false),
        (json!({ "crit": [] }), false),
        (json!({ "crit": ["b64"], "b64": false }), false),
        (json!({ "kid": "" }), false),
        (json!({ "kid": "../../../dev/null" }), false),
        (json!({ "kid": "' or '1'='1" }), false),
        (json!({ "kid": ["a"] }), false),
        (json!({ "kid": null }), false),
        (json!({ "kid": sample(1).public().kid() }), false),
        (json!({ "alg": "none" }), false),
        (json!({ "alg": "NONE" }), false),
        (json!({ "alg": "" }), false),
        (json!({ "alg": null }), false),
        (json!({ "alg": "rs256" }), false),
        (json!({ "alg": "RS384" }), false),
        (json!({ "alg": "RS512" }), false),
        (json!({ "alg": "PS256" }), false),
        (json!({ "alg": "ES256" }), false),
        (json!({ "alg": "EdDSA" }), false),
        (json!({ "alg": "HS256" }), false),
    ] {
        assert_eq!(taken(&signed(&header(&members), &claims().to_string(), 0)), good, "{members}");
    }
    // A key of the attacker's in the header, and his signature: the key in use judges.
    let own = header(&json!({ "jwk": jwk }));
    assert!(!taken(&signed(&own, &claims().to_string(), 1)));
    let without_alg = json!({ "typ": "JWT", "kid": sample(0).public().kid() }).to_string();
    assert!(!taken(&signed(&without_alg, &claims().to_string(), 0)));
    let twice = header(&json!({})).replace("\"RS256\"", "\"none\",\"alg\":\"RS256\"");
    assert!(!taken(&signed(&twice, &claims().to_string(), 0)), "one header, two algorithms");
}

#[test]
fn a_public_key_is_no_secret_to_sign_with() {
    let public = sample(0).public();
    let pem = public.to_pem();
    let secrets: [&[u8]; 5] =
        [pem.as_bytes(), pem.trim().as_bytes(), public.pkcs1_der(), &public.numbers().0, b""];
    for (secret, alg) in
        secrets.iter().flat_map(|secret| [(secret, "HS256"), (secret, "HS384"), (secret, "RS256")])
    {
        let part = format!(
            "{}.{}",
            base64url(header(&json!({ "alg": alg })).as_bytes()),
            base64url(claims().to_string().as_bytes())
        );
        let key = hmac::Key::new(if alg == "HS384" { hmac::HMAC_SHA384 } else { hmac::HMAC_SHA256 }, secret);
        let token = format!("{part}.{}", base64url(hmac::sign(&key, part.as_bytes()).as_ref()));
        assert!(!taken(&token), "{alg}");
    }
}

#[test]
fn one_text_is_one_token() {
    let good = signed(&header(&json!({})), &claims().to_string(), 0);
    assert!(taken(&good));
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, signature] = parts[..] else { unreachable!("a token has three parts") };
    let standard = |part: &str| part.replace('-', "+").replace('_', "/");
    // 256 bytes leave four unused bits in the last digit: another digit that decodes to the same bytes.
    let (rest, last) = signature.split_at(signature.len() - 1);
    let unused_bits = format!("{rest}{}", char::from(last.as_bytes()[0] + 1));
    let mut bent: Vec<String> = vec![
        format!("{head}.{body}.{unused_bits}"),
        format!("{head}.{body}.{signature}="),
        format!("{head}.{body}.{signature}=="),
        format!("{head}=.{body}.{signature}"),
        format!("{head}.{body}=.{signature}"),
        format!("{head}.{body}.{signature}\n"),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}..{signature}"),
        format!(".{body}.{signature}"),
        format!("{head}.{body}.{}", &signature[1..]),
        format!("{head}.{body}.A{signature}"),
        format!("{head}.{body}.{}{signature}", "A".repeat(4)),
        format!("{head}.{body}.{}", "A".repeat(342)),
        format!("{head}.{body}.{}", base64url(&[0xff; 256])),
        format!("{body}.{head}.{signature}"),
        format!("{head}.{body}.{signature}\0"),
        good.to_uppercase(),
        // An encrypted token has five parts, and none of them is ours to read.
        format!("{head}.{body}.{signature}.{head}.{body}"),
    ];
    if standard(signature) != signature {
        bent.push(format!("{head}.{body}.{}", standard(signature)));
    }
    for token in bent {
        assert!(!taken(&token), "{token:?}");
    }
}

#[test]
fn claims_that_are_not_what_they_should_be() {
    let now = unix_now();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims.to_string()
    };
    for claims in [
        with("exp", json!(now - 100)),
        with("exp", json!((now + 600).to_string())),
        with("exp", json!(null)),
        with("exp", json!([now + 600])),
        with("exp", json!(0)),
        with("nbf", json!(now + 600)),
        with("nbf", json!(true)),
        with("iat", json!(now + 600)),
        with("iss", json!({})),
        with("sub", json!("")),
        "{}".into(),
        "[]".into(),
        "null".into(),
        "\"text\"".into(),
        String::new(),
        "{\"exp\":9999999999".into(),
    ] {
        assert!(!taken(&signed(&header(&json!({})), &claims, 0)), "{claims}");
    }
}
