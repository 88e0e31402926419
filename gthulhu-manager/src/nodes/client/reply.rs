//! Reading what a dm replies, believing nothing.

use gthulhu_http::json;
use gthulhu_lib::wire::{HeldPair, MerkleReply};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::nodes::Pair;
use crate::nodes::machine::{DmState, Failure, FailureKind};
use crate::quoted::quoted;

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(default)]
    success: bool,
    data: Option<T>,
}

#[derive(Deserialize)]
struct ErrorEnvelope {
    error: String,
}

/// The `data` of a successful reply.
pub(super) fn data<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<T, Failure> {
    if status != 200 {
        return Err(refusal(status, body));
    }
    let envelope: Envelope<T> = json::parse(body).map_err(|error| bad(format!("bad reply: {error}")))?;
    envelope.data.filter(|_| envelope.success).ok_or_else(|| bad("bad reply: no data".to_owned()))
}

/// Whether there is such a question, for questions that not every dm knows.
pub(super) fn offered(status: u16) -> Result<(), Failure> {
    if matches!(status, 404 | 405) {
        return Err(Failure { kind: FailureKind::NotOffered, message: format!("status {status}") });
    }
    Ok(())
}

/// What the dm says it holds, its numbers checked.
pub(super) fn state(merkle: &MerkleReply) -> Result<DmState, Failure> {
    let hash = |name: &str, text: &str| {
        parse_hash(text).ok_or_else(|| bad(format!("bad reply: {name} is not 64 hexadecimal digits")))
    };
    let held = match (merkle.epoch, merkle.generation) {
        (Some(epoch), Some(generation)) => Some(Pair { epoch, generation }),
        (None, None) => None,
        _ => return Err(bad("bad reply: only one of epoch and generation".to_owned())),
    };
    Ok(DmState {
        root: hash("rootHash", &merkle.root_hash)?,
        digest: merkle.digest.as_deref().map(|digest| hash("digest", digest)).transpose()?,
        held,
        edited: merkle.edited.unwrap_or(false),
    })
}

/// The pair that a 409 names, if it names one.
pub(super) fn held(body: &[u8]) -> Option<Pair> {
    let held: HeldPair = json::parse(body).ok()?;
    Some(Pair { epoch: held.held_epoch, generation: held.held_generation })
}

/// The failure that a status other than 200 stands for, with the dm's own reason if it gives one.
pub(super) fn refusal(status: u16, body: &[u8]) -> Failure {
    match json::parse::<ErrorEnvelope>(body) {
        Ok(envelope) => bad(format!("status {status}: {}", quoted(&envelope.error))),
        Err(_) => bad(format!("status {status}")),
    }
}

pub(super) fn bad(message: String) -> Failure {
    Failure { kind: FailureKind::BadAnswer, message }
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != hash.len() {
        return None;
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(hash)
}
