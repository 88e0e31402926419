//! The audit trail: who changed what, in a chain that shows when a record was changed, removed or reordered.
//!
//! # Format (final)
//!
//! A record is one JSON object, UTF-8, without blanks, its members in this order:
//!
//! | member | type | meaning |
//! |---|---|---|
//! | `seq` | number | 1 for the first record, then without gaps |
//! | `at` | number | milliseconds since the epoch, by the manager's clock; order is by `seq`, never by `at` |
//! | `actor` | text | the id of the user who did it, `anonymous` for a request without one, or `system` |
//! | `verb` | text | what was done, such as `strategy.create` |
//! | `object` | text | the key of the document it was done to, such as `strategy/65f0c0ffee0123456789abcd` |
//! | `before` | any | the document before, `null` when there was none; never a password or its hash |
//! | `after` | any | the document after, `null` when there is none; the same rule |
//! | `requestId` | text | the id of the request, empty when no request caused it |
//! | `from` | text | the address the request came from, empty when no request caused it |
//! | `prev` | text | lower-hex SHA-256 of the stored bytes of the record before; 64 zeros in the first |
//!
//! Records written before there was `from` do not have it, and read as if it were empty.
//!
//! A refusal, which changed nothing, has `null` before and after it `{"omitted":n,"reason":text}`: why, and how many
//! refusals of this sort were left out since the last record of one.
//!
//! `before` and `after` have their members in bytewise order. The store sets `seq` and `prev` in the transaction that
//! writes the record.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use gthulhu_lib::id::Id;
use gthulhu_lib::intent::digest::hex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Document;

/// What a change says about itself; the store makes an [`AuditRecord`] of it.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    at_ms: i64,
    actor: String,
    verb: &'static str,
    object: String,
    before: Option<Value>,
    after: Option<Value>,
    request_id: String,
    from: Option<IpAddr>,
}

/// Who did something, when, and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The user, or `None` for the manager itself, or for a request of someone who is not known (yet).
    pub actor: Option<Id>,
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// The request, empty when none.
    pub request_id: String,
    /// Where the request came from, if one caused it.
    pub from: Option<IpAddr>,
}

/// One record, in the format above.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the table at the top of this file documents each member")]
pub struct AuditRecord {
    pub seq: u64,
    pub at: i64,
    pub actor: String,
    pub verb: String,
    pub object: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub request_id: String,
    #[serde(default)]
    pub from: String,
    pub prev: String,
}

/// The end of a chain: what the next record continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    seq: u64,
    hash: String,
}

/// A text that is no end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the end of a trail is written as its number, a colon, and 64 hexadecimal digits")]
pub struct BadHead;

/// Where a chain breaks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit record {seq}: {reason}")]
pub struct Broken {
    /// The sequence number expected at this place.
    pub seq: u64,
    /// What is wrong there.
    pub reason: String,
}

/// Why a request was refused. Holds nothing that came with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// One of our own words.
    pub reason: &'static str,
    /// How many refusals of this sort were left out since the last record of one.
    pub omitted: u64,
}

impl Origin {
    /// Someone who is not known (yet).
    pub fn stranger(at_ms: i64, request_id: &str, from: IpAddr) -> Self {
        Self { actor: None, at_ms, request_id: request_id.to_string(), from: Some(from) }
    }

    /// The same request, now that it is known whose it is.
    #[must_use]
    pub fn by(&self, user: Id) -> Self {
        Self { actor: Some(user), ..self.clone() }
    }

    fn actor(&self) -> String {
        match (self.actor, self.from) {
            (Some(id), _) => id.to_string(),
            (None, Some(_)) => "anonymous".into(),
            (None, None) => "system".into(),
        }
    }

    /// The manager itself, caused by no request.
    pub fn system(at_ms: i64) -> Self {
        Self { actor: None, at_ms, request_id: String::new(), from: None }
    }
}

impl AuditEntry {
    /// A request was refused; `object` is the key of whom or what it was about.
    pub fn refused(origin: &Origin, verb: &'static str, object: String, refusal: &Refusal) -> Self {
        let after = serde_json::json!({ "reason": refusal.reason, "omitted": refusal.omitted });
        Self {
            at_ms: origin.at_ms,
            actor: origin.actor(),
            verb,
            object,
            before: None,
            after: Some(after),
            request_id: origin.request_id.clone(),
            from: origin.from,
        }
    }

    /// `document` came to be.
    pub fn created(origin: &Origin, verb: &'static str, document: &Document) -> Self {
        Self::new(origin, verb, document, None, Some(document))
    }

    /// `before` became `after`.
    pub fn changed(origin: &Origin, verb: &'static str, before: &Document, after: &Document) -> Self {
        Self::new(origin, verb, after, Some(before), Some(after))
    }

    /// `document` is gone.
    pub fn deleted(origin: &Origin, verb: &'static str, document: &Document) -> Self {
        Self::new(origin, verb, document, Some(document), None)
    }

    /// The only way to fill `before` and `after`, so that both are always the public view.
    fn new(
        origin: &Origin,
        verb: &'static str,
        object: &Document,
        before: Option<&Document>,
        after: Option<&Document>,
    ) -> Self {
        Self {
            at_ms: origin.at_ms,
            actor: origin.actor(),
            verb,
            object: object.key().to_string(),
            before: before.map(Document::public),
            after: after.map(Document::public),
            request_id: origin.request_id.clone(),
            from: origin.from,
        }
    }
}

impl Head {
    /// The end of an empty chain.
    pub fn start() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }

    /// The end of a chain whose last record is stored as `bytes`.
    pub fn of(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let record: AuditRecord = serde_json::from_slice(bytes)?;
        Ok(Self { seq: record.seq, hash: hash(bytes) })
    }

    /// The hash of the last record; zeros when there is none.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The sequence number of the last record; 0 when there is none.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The stored bytes of the next record. The chain now ends with it.
    pub fn append(&mut self, entry: &AuditEntry) -> Vec<u8> {
        let record = AuditRecord {
            seq: self.seq + 1,
            at: entry.at_ms,
            actor: entry.actor.clone(),
            verb: entry.verb.to_string(),
            object: entry.object.clone(),
            before: entry.before.clone(),
            after: entry.after.clone(),
            request_id: entry.request_id.clone(),
            from: entry.from.map_or_else(String::new, |from| from.to_string()),
            prev: self.hash.clone(),
        };
        let bytes = serde_json::to_vec(&record).expect("plain data with text keys always has a JSON form");
        *self = Self { seq: record.seq, hash: hash(&bytes) };
        bytes
    }

    /// Follows the chain over `bytes`, which must be the next record.
    pub fn verify(&mut self, bytes: &[u8]) -> Result<AuditRecord, Broken> {
        let broken = |reason: String| Broken { seq: self.seq + 1, reason };
        let record: AuditRecord = serde_json::from_slice(bytes).map_err(|e| broken(e.to_string()))?;
        if record.seq != self.seq + 1 {
            return Err(broken(format!("found record {} in its place", record.seq)));
        }
        if record.prev != self.hash {
            return Err(broken("does not continue the record before it".into()));
        }
        *self = Self { seq: record.seq, hash: hash(bytes) };
        Ok(record)
    }
}

/// `seq:hash`, to be written down somewhere else and compared later.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = BadHead;

    fn from_str(text: &str) -> Result<Self, BadHead> {
        let (seq, hash) = text.split_once(':').ok_or(BadHead)?;
        let digits = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let seq = seq.parse().ok().filter(|_| digits).ok_or(BadHead)?;
        Ok(Self { seq, hash: hash.to_owned() })
    }
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Vec<Vec<u8>> {
        let origin = Origin {
            actor: Some(Id::from_bytes([1; 12])),
            at_ms: 5,
            request_id: "r".into(),
            from: Some([192, 0, 2, 1].into()),
        };
        let mut head = Head::start();
        (1..=3)
            .map(|n| head.append(&AuditEntry::created(&origin, "epoch.next", &Document::Epoch(n))))
            .collect()
    }

    fn verify(records: &[Vec<u8>]) -> Result<u64, Broken> {
        let mut head = Head::start();
        records.iter().try_for_each(|bytes| head.verify(bytes).map(drop))?;
        Ok(head.seq())
    }

    #[test]
    fn the_stored_bytes_are_the_documented_ones() {
        let expected = format!(
            "{{\"seq\":1,\"at\":5,\"actor\":\"010101010101010101010101\",\"verb\":\"epoch.next\",\
             \"object\":\"epoch/\",\"before\":null,\"after\":1,\"requestId\":\"r\",\"from\":\"192.0.2.1\",\"prev\":\"{}\"}}",
            "0".repeat(64)
        );
        assert_eq!(String::from_utf8(three()[0].clone()).unwrap(), expected);
    }

    #[test]
    fn a_whole_chain_holds_and_goes_on_from_its_last_record() {
        let mut chain = three();
        assert_eq!(verify(&chain), Ok(3));
        let mut head = Head::of(&chain[2]).unwrap();
        let entry = AuditEntry::deleted(&Origin::system(9), "epoch.next", &Document::Epoch(3));
        chain.push(head.append(&entry));
        assert_eq!(verify(&chain), Ok(4));
    }

    #[test]
    fn changed_removed_and_swapped_records_break_it() {
        let broken_at = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut chain = three();
            change(&mut chain);
            verify(&chain).map_err(|broken| broken.seq)
        };
        assert_eq!(broken_at(&|c| drop(c.remove(0))), Err(1));
        assert_eq!(broken_at(&|c| drop(c.remove(1))), Err(2));
        assert_eq!(broken_at(&|c| c.swap(1, 2)), Err(2));
        assert_eq!(broken_at(&|c| c[1].truncate(20)), Err(2));
        // A change inside a record shows at the next one.
        let edit = |c: &mut Vec<Vec<u8>>| {
            let at = c[0].iter().position(|b| *b == b'5').unwrap();
            c[0][at] = b'6';
        };
        assert_eq!(broken_at(&edit), Err(2));
    }
}
