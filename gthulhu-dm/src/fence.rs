//! Which push may replace the set held: the rules of (epoch, generation).
//!
//! Every manager that becomes the pusher takes a new epoch; inside an epoch each change of a node's set gets the
//! next generation. The pair a node holds only ever grows, so a push that was delayed on the way, or that comes from
//! a manager that has been replaced, can never undo a newer one. This file is the whole rule: pure, without clock,
//! file or lock. `state` keeps its outcome on disk, `node` applies it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The largest number a pair may hold: the last integer that every JSON reader keeps exact.
pub const LARGEST: u64 = (1 << 53) - 1;

/// SHA-256 of the canonical form of a set of intents.
pub type Digest = [u8; 32];

/// The numbers of one push, compared epoch first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pair {
    /// The term of the manager that pushes, 1 to [`LARGEST`].
    pub epoch: u64,
    /// The number of the set inside that term, 1 to [`LARGEST`].
    pub generation: u64,
}

/// Why the two numbers of a push are no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadPair {
    /// One of the two is missing.
    #[error("epoch and generation must be given together")]
    Alone,
    /// The named number is 0 or above [`LARGEST`].
    #[error("{0} must be 1 to {LARGEST}")]
    OutOfRange(&'static str),
}

impl Pair {
    /// The pair of a push; `None` for a push without numbers.
    pub fn parse(epoch: Option<u64>, generation: Option<u64>) -> Result<Option<Pair>, BadPair> {
        let (epoch, generation) = match (epoch, generation) {
            (None, None) => return Ok(None),
            (Some(epoch), Some(generation)) => (epoch, generation),
            _ => return Err(BadPair::Alone),
        };
        for (name, number) in [("epoch", epoch), ("generation", generation)] {
            if !(1..=LARGEST).contains(&number) {
                return Err(BadPair::OutOfRange(name));
            }
        }
        Ok(Some(Pair { epoch, generation }))
    }
}

/// The pair a node holds, with the digest of the set that was last pushed under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The numbers.
    pub pair: Pair,
    /// What was pushed under them, which differs from the set held now after an edit.
    pub pushed: Digest,
}

/// Where a node stands: what it holds, and whether the set was changed since it was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fence {
    /// The pair held; `None` until the first numbered push.
    pub held: Option<Held>,
    /// The set in use is not the one last pushed: a DELETE or an unnumbered push came after it.
    pub edited: bool,
}

impl Fence {
    /// Decides on a push: the fence after it, or the pair held that forbids it.
    ///
    /// An equal pair is accepted only with the set last pushed under it, so that repeating a push is harmless (it
    /// undoes edits) and two managers that took the same numbers cannot overwrite each other in turns.
    pub fn judge(
        &self,
        offered: Option<Pair>,
        digest: Digest,
        accept_unnumbered: bool,
    ) -> Result<Fence, Pair> {
        let accepted = |held| Ok(Fence { held, edited: false });
        match (self.held, offered) {
            (None, None) => accepted(None),
            (None, Some(pair)) => accepted(Some(Held { pair, pushed: digest })),
            (Some(held), Some(pair)) if pair > held.pair => accepted(Some(Held { pair, pushed: digest })),
            (Some(held), Some(pair)) if pair == held.pair && digest == held.pushed => accepted(Some(held)),
            // The numbers stay: they still say what the numbered manager believes this node has.
            (Some(held), None) if accept_unnumbered => {
                Ok(Fence { held: Some(held), edited: digest != held.pushed })
            }
            (Some(held), _) => Err(held.pair),
        }
    }

    /// The fence after a change that no push made: the numbers stay, the set counts as edited.
    #[must_use]
    pub fn edit(self) -> Fence {
        Fence { edited: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Digest = [0xaa; 32];
    const B: Digest = [0xbb; 32];

    fn pair(epoch: u64, generation: u64) -> Pair {
        Pair { epoch, generation }
    }

    fn fence(epoch: u64, generation: u64, pushed: Digest, edited: bool) -> Fence {
        Fence { held: Some(Held { pair: pair(epoch, generation), pushed }), edited }
    }

    #[test]
    fn a_pair_is_both_or_neither_and_in_range() {
        let rows = [
            (None, None, Ok(None)),
            (Some(1), Some(1), Ok(Some(pair(1, 1)))),
            (Some(LARGEST), Some(LARGEST), Ok(Some(pair(LARGEST, LARGEST)))),
            (Some(1), None, Err(BadPair::Alone)),
            (None, Some(1), Err(BadPair::Alone)),
            (Some(0), None, Err(BadPair::Alone)),
            (Some(0), Some(1), Err(BadPair::OutOfRange("epoch"))),
            (Some(1), Some(0), Err(BadPair::OutOfRange("generation"))),
            (Some(LARGEST + 1), Some(1), Err(BadPair::OutOfRange("epoch"))),
            (Some(1), Some(u64::MAX), Err(BadPair::OutOfRange("generation"))),
        ];
        for (epoch, generation, expected) in rows {
            assert_eq!(Pair::parse(epoch, generation), expected, "{epoch:?} {generation:?}");
        }
    }

    #[test]
    fn the_refusals_name_the_rule() {
        assert_eq!(BadPair::Alone.to_string(), "epoch and generation must be given together");
        assert_eq!(BadPair::OutOfRange("epoch").to_string(), "epoch must be 1 to 9007199254740991");
    }

    /// Every row of the rule: (held before, offered pair and set, unnumbered accepted) -> held after.
    #[test]
    fn every_row_of_the_rule() {
        let none = Fence::default();
        let edited_none = Fence { held: None, edited: true };
        let at = |edited| fence(3, 7, A, edited);
        let p = |epoch, generation| Some(pair(epoch, generation));
        let refused = Err(pair(3, 7));
        let rows = [
            ("first, unnumbered", none, None, A, false, Ok(none)),
            ("unnumbered after an edit", edited_none, None, B, false, Ok(none)),
            ("first numbered", none, p(3, 7), A, false, Ok(at(false))),
            ("first numbered after unnumbered", edited_none, p(1, 1), A, false, Ok(fence(1, 1, A, false))),
            ("next generation", at(false), p(3, 8), B, false, Ok(fence(3, 8, B, false))),
            ("next generation, same set", at(true), p(3, 8), A, false, Ok(fence(3, 8, A, false))),
            ("a generation skipped", at(false), p(3, 900), B, false, Ok(fence(3, 900, B, false))),
            ("next epoch, generation restarts", at(false), p(4, 1), B, false, Ok(fence(4, 1, B, false))),
            ("equal, same set", at(false), p(3, 7), A, false, Ok(at(false))),
            ("equal, same set, edited", at(true), p(3, 7), A, false, Ok(at(false))),
            ("equal, other set", at(false), p(3, 7), B, false, refused),
            ("equal, other set, edited", at(true), p(3, 7), B, false, refused),
            ("older generation", at(false), p(3, 6), B, false, refused),
            ("older generation, same set", at(false), p(3, 6), A, false, refused),
            ("older epoch, larger generation", at(false), p(2, LARGEST), B, false, refused),
            ("unnumbered", at(false), None, A, false, refused),
            ("unnumbered, accepted", at(false), None, B, true, Ok(at(true))),
            ("unnumbered, accepted, same set", at(true), None, A, true, Ok(at(false))),
            ("accepting unnumbered loosens nothing else", at(false), p(3, 7), B, true, refused),
            ("nor for older ones", at(false), p(3, 6), A, true, refused),
        ];
        for (name, before, offered, digest, accept_unnumbered, expected) in rows {
            assert_eq!(before.judge(offered, digest, accept_unnumbered), expected, "{name}");
        }
    }

    #[test]
    fn an_edit_keeps_the_numbers_and_what_was_pushed() {
        assert_eq!(fence(3, 7, A, false).edit(), fence(3, 7, A, true));
        assert_eq!(Fence::default().edit(), Fence { held: None, edited: true });
    }
}
