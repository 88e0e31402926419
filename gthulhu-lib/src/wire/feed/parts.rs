//! A node's set in parts that fit into frames, and together again.
//!
//! Parts come in order and without anything of another set between them; the first part of a set drops one that was
//! not completed. So a receiver holds at most one set, bounded by [`PARTS_MAX`], and never acts on half of one.

use std::mem;

use thiserror::Error;

use super::{FRAME_MAX, IntentsPart, MutedTask};
use crate::wire::IntentBody;

/// The most parts that a set has: several times what a decision maker accepts as one push.
pub const PARTS_MAX: u32 = 16;

/// Room for everything in a part but its elements.
const ENVELOPE: usize = 1024;

/// The most bytes of JSON that a character of a text becomes.
const ESCAPED: usize = 6;

/// What a node holds: the payload of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeSet {
    /// Epoch of the last numbered push; 0 before it.
    pub epoch: u64,
    /// Generation of the last numbered push; 0 before it.
    pub generation: u64,
    /// The complete set.
    pub intents: Vec<IntentBody>,
    /// Tasks that no strategy reaches until the next push.
    pub muted: Vec<MutedTask>,
}

/// Why a set cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TooLarge {
    /// One element alone does not fit into a frame.
    #[error("an element of {0} bytes does not fit into a frame")]
    Element(usize),
    /// It would take more parts than a receiver takes.
    #[error("the set needs more than {PARTS_MAX} parts")]
    Set,
}

/// Cuts a set into parts that fit into frames. `json_len` tells the length of an intent's JSON text.
///
/// # Errors
///
/// If one element does not fit into a frame, or the set into [`PARTS_MAX`] of them.
pub fn split(set: NodeSet, json_len: impl Fn(&IntentBody) -> usize) -> Result<Vec<IntentsPart>, TooLarge> {
    split_at(FRAME_MAX - ENVELOPE, set, json_len)
}

fn split_at(
    room: usize,
    set: NodeSet,
    json_len: impl Fn(&IntentBody) -> usize,
) -> Result<Vec<IntentsPart>, TooLarge> {
    let NodeSet { epoch, generation, intents, muted } = set;
    let mut cutter = Cutter { room, used: 0, parts: vec![IntentsPart::default()] };
    for intent in intents {
        cutter.part(json_len(&intent))?.intents.push(intent);
    }
    for task in muted {
        // The keys, two numbers of at most 20 digits, and the uid.
        cutter.part(80 + task.pod_id.len() * ESCAPED)?.muted.push(task);
    }
    let mut parts = cutter.parts;
    let count = u32::try_from(parts.len()).map_err(|_| TooLarge::Set)?;
    if count > PARTS_MAX {
        return Err(TooLarge::Set);
    }
    for (number, part) in (1..).zip(&mut parts) {
        (part.epoch, part.generation, part.part, part.parts) = (epoch, generation, number, count);
    }
    Ok(parts)
}

struct Cutter {
    room: usize,
    /// Bytes of the last part's elements.
    used: usize,
    /// Never empty.
    parts: Vec<IntentsPart>,
}

impl Cutter {
    /// The part that takes an element of `length` bytes: the last one, or a new one.
    fn part(&mut self, length: usize) -> Result<&mut IntentsPart, TooLarge> {
        // With the comma.
        let length = length + 1;
        if length > self.room {
            return Err(TooLarge::Element(length));
        }
        if self.used + length > self.room {
            self.parts.push(IntentsPart::default());
            self.used = 0;
        }
        self.used += length;
        self.parts.last_mut().ok_or(TooLarge::Set)
    }
}

/// Why a part was refused. What had arrived of its set is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PartError {
    /// The numbers make no sense by themselves.
    #[error("part {part} of {parts}; both must be 1 to {PARTS_MAX}, and the part one of them")]
    Numbers {
        /// Which part it says it is.
        part: u32,
        /// How many it says there are.
        parts: u32,
    },
    /// It is not the part that comes next.
    #[error("part {part} came when part {expected} was due")]
    Order {
        /// Which part it says it is.
        part: u32,
        /// Which part is due.
        expected: u32,
    },
    /// It belongs to another set than the parts before it.
    #[error("part {0} is of another set than the parts before it")]
    Mixed(u32),
}

/// Puts the parts of sets together.
#[derive(Debug, Default)]
pub struct Assembly {
    set: NodeSet,
    parts: u32,
    /// Parts that have arrived; 0 between two sets.
    arrived: u32,
}

impl Assembly {
    /// Takes a part; gives the set that it completes.
    ///
    /// # Errors
    ///
    /// If the part is not the next one of its set. What had arrived of that is dropped.
    pub fn add(&mut self, part: IntentsPart) -> Result<Option<NodeSet>, PartError> {
        if let Err(error) = self.judge(&part) {
            *self = Self::default();
            return Err(error);
        }
        if part.part == 1 {
            let (epoch, generation) = (part.epoch, part.generation);
            self.set = NodeSet { epoch, generation, ..NodeSet::default() };
            self.parts = part.parts;
        }
        self.arrived = part.part;
        self.set.intents.extend(part.intents);
        self.set.muted.extend(part.muted);
        if self.arrived < self.parts {
            return Ok(None);
        }
        self.arrived = 0;
        Ok(Some(mem::take(&mut self.set)))
    }

    fn judge(&self, part: &IntentsPart) -> Result<(), PartError> {
        let &IntentsPart { epoch, generation, part: number, parts, .. } = part;
        if !(1..=PARTS_MAX).contains(&parts) || !(1..=parts).contains(&number) {
            return Err(PartError::Numbers { part: number, parts });
        }
        if number == 1 {
            return Ok(());
        }
        if number != self.arrived + 1 {
            return Err(PartError::Order { part: number, expected: self.arrived + 1 });
        }
        if (epoch, generation, parts) != (self.set.epoch, self.set.generation, self.parts) {
            return Err(PartError::Mixed(number));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
