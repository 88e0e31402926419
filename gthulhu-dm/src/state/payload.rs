//! The payload of the state file: plain JSON, so that a person can read it past the header.

use gthulhu_lib::{
    intent::{Limits, digest::hex, set::IntentSet},
    wire::IntentBody,
};
use serde::{Deserialize, Serialize};

use super::{Muted, State};
use crate::fence::{Digest, Fence, Held, Pair};

/// Written from what is held, read into what is yet to be checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<I, M> {
    held: Option<StoredHeld>,
    edited: bool,
    intents: I,
    muted: M,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredHeld {
    epoch: u64,
    generation: u64,
    pushed: String,
}

/// The payload of a state.
pub(super) fn encode(state: &State) -> Vec<u8> {
    let stored = Stored {
        held: state.fence.held.map(|held| StoredHeld {
            epoch: held.pair.epoch,
            generation: held.pair.generation,
            pushed: hex(&held.pushed),
        }),
        edited: state.fence.edited,
        intents: &state.intents,
        muted: &state.muted,
    };
    serde_json::to_vec(&stored).expect("strings, numbers and maps with string keys always serialise")
}

/// The state of a payload, or what is wrong with it.
pub(super) fn decode(payload: &[u8]) -> Result<State, String> {
    let stored: Stored<Vec<IntentBody>, Vec<Muted>> =
        serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    let held = stored.held.map(StoredHeld::check).transpose()?;
    // Checked against the widest limits: what was accepted once is served, even if the limits have been narrowed.
    let limits = Limits { accept_any_priority: true };
    let intents = IntentSet::check(stored.intents, &limits).map_err(|invalid| invalid.to_string())?;
    Ok(State { fence: Fence { held, edited: stored.edited }, intents, muted: stored.muted })
}

impl StoredHeld {
    fn check(self) -> Result<Held, String> {
        let pair = Pair::parse(Some(self.epoch), Some(self.generation)).map_err(|bad| bad.to_string())?;
        let pair = pair.ok_or("the pair is missing")?;
        let pushed = unhex(&self.pushed).ok_or("pushed must be 64 hexadecimal digits")?;
        Ok(Held { pair, pushed })
    }
}

fn unhex(text: &str) -> Option<Digest> {
    let digits = text.as_bytes();
    let mut digest = Digest::default();
    if digits.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(digest)
}
