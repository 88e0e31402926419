//! Goal `token`: what the manager does with a token that it has not seen before, against the least that must be done:
//! the signature's own check, on bytes that are decoded already.

use std::io::Write;
use std::time::Duration;

use gthulhu_http::keys::PrivateKey;
use gthulhu_http::time::unix_now;
use gthulhu_http::tokens::KeySet;
use gthulhu_lib::id::Id;
use gthulhu_manager::service::{ACCESS_TOKEN, Claims, ISSUER};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};

use crate::Outcome;
use crate::fixtures::id;
use crate::harness::{Goal, Report, cpu_of, in_turns};

/// Tokens of each turn; what is remembered of them is thrown away several times.
const TOKENS: u32 = 1_000;
const TURNS: usize = 15;

/// Measures and reports.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let key = PrivateKey::generate()?;
    let pair = pair(&key)?;
    let set: KeySet<Claims> = KeySet::new(&key, &[]);
    let tokens =
        (0..TOKENS).map(|number| set.sign(&claims(&id(number), 1))).collect::<Result<Vec<_>, _>>()?;
    let signed = tokens.iter().map(|token| signed_again(&pair, token)).collect::<Outcome<Vec<_>>>()?;

    let ours = || first_seen(&key, &tokens);
    let turns = in_turns(TURNS, || bare(&pair, &signed), ours)?;
    report.ratio("token", turns.b_over_a(), Goal::AtMost(1.2))?;
    let [least, own] = turns.each([tokens.len(), tokens.len()]);
    report.note(format_args!(
        "a token of {} bytes, seen for the first time: {own:.2?}, its signature alone {least:.2?}",
        tokens[0].len()
    ))?;
    Ok(())
}

/// Everything that is asked of a token, by somebody who remembers none.
fn first_seen(key: &PrivateKey, tokens: &[String]) -> Outcome<Duration> {
    let set: KeySet<Claims> = KeySet::new(key, &[]);
    let mut refused = None;
    let spent =
        cpu_of(|| tokens.iter().for_each(|token| refused = refused.take().or(set.verify(token).err())));
    refused.map_or(Ok(spent), |error| Err(error.into()))
}

/// The signature's check and nothing else.
fn bare(pair: &RsaKeyPair, signed: &[(&[u8], Vec<u8>)]) -> Outcome<Duration> {
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public());
    let mut good = 0;
    let spent =
        cpu_of(|| good = signed.iter().filter(|(text, proof)| key.verify(text, proof).is_ok()).count());
    if good == signed.len() { Ok(spent) } else { Err("a signature is not good".into()) }
}

/// The key as `ring` has it.
fn pair(key: &PrivateKey) -> Outcome<RsaKeyPair> {
    let armour = pem::parse(key.to_pem())?;
    RsaKeyPair::from_der(armour.contents()).map_err(|error| error.to_string().into())
}

/// What is signed of a token, and its signature: with this scheme there is only one.
fn signed_again<'t>(pair: &RsaKeyPair, token: &'t str) -> Outcome<(&'t [u8], Vec<u8>)> {
    let (text, _) = token.rsplit_once('.').ok_or("it has no signature")?;
    let mut proof = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut proof)
        .map_err(|_| "it cannot be signed again")?;
    Ok((text.as_bytes(), proof))
}

/// As the manager gives them to a user of this generation when he logs in.
pub(crate) fn claims(user: &Id, generation: u64) -> Claims {
    let now = unix_now();
    Claims {
        uid: user.to_string(),
        need_change_password: false,
        token_version: generation,
        token_type: ACCESS_TOKEN.into(),
        sid: None,
        aud: None,
        iss: ISSUER.into(),
        sub: user.to_string(),
        exp: now + 3600,
        nbf: now,
        iat: now,
    }
}
