//! Object ids: twelve bytes, written as 24 hexadecimal digits, as in MongoDB documents and URLs.

#[cfg(feature = "schema")]
mod schema;

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// Number of bytes in an id.
pub const ID_BYTES: usize = 12;

/// Separates intent ids from every other use of SHA-256 in the project.
const INTENT_ID_DOMAIN: &[u8] = b"gthulhu-intent\0";

/// A twelve-byte object id.
///
/// It is always written in lower case; upper case is accepted when read. The order is that of the bytes,
/// which is also the order of the written form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; ID_BYTES]);

/// The text was not 24 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("id must be 24 hexadecimal digits")]
pub struct IdError;

impl Id {
    /// An id of the given bytes.
    pub const fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// The raw bytes, most significant digit first.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

/// The id of the intent that `strategy` gives the pod with uid `pod_uid`.
///
/// It depends on nothing else, so every replica computes the same id, and it survives a restart: the first
/// twelve bytes of SHA-256 over `"gthulhu-intent\0"`, the twelve raw bytes of the strategy's id, and the
/// pod's uid as text.
pub fn intent_id(strategy: Id, pod_uid: &str) -> Id {
    let hash = Sha256::new().chain_update(INTENT_ID_DOMAIN).chain_update(strategy.0).chain_update(pod_uid);
    let mut bytes = [0; ID_BYTES];
    bytes.copy_from_slice(&hash.finalize()[..ID_BYTES]);
    Id(bytes)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.as_bytes();
        if digits.len() != 2 * ID_BYTES {
            return Err(IdError);
        }
        let mut bytes = [0; ID_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn hex_digit(digit: u8) -> Result<u8, IdError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(IdError),
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("24 hexadecimal digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "65f0c0ffee0123456789abcd";

    #[test]
    fn text_round_trips_and_upper_case_is_read() {
        let id: Id = TEXT.parse().unwrap();
        assert_eq!(id.as_bytes(), b"\x65\xf0\xc0\xff\xee\x01\x23\x45\x67\x89\xab\xcd");
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(format!("{id:?}"), TEXT);
        assert_eq!(TEXT.to_uppercase().parse(), Ok(id));
        assert_eq!(Id::from_bytes(*id.as_bytes()), id);
    }

    #[test]
    fn anything_but_24_hex_digits_is_refused() {
        let too_long = format!("{TEXT}0");
        for text in [
            "",
            &TEXT[1..],
            &too_long,
            "65f0c0ffee0123456789abcg",
            "+5f0c0ffee0123456789abcd",
            "éééééééééééé",
        ] {
            assert_eq!(text.parse::<Id>(), Err(IdError), "{text:?}");
        }
    }

    #[test]
    fn json_is_the_text() {
        let id: Id = serde_json::from_str(&format!("\"{}\"", TEXT.to_uppercase())).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{TEXT}\""));
        let error = serde_json::from_str::<Id>("\"nope\"").unwrap_err().to_string();
        assert!(error.starts_with("id must be 24 hexadecimal digits"), "{error}");
        assert!(serde_json::from_str::<Id>("7").is_err());
    }

    #[test]
    fn order_is_that_of_the_text() {
        let texts =
            ["000000000000000000000000", "00000000000000000000000a", "0f0000000000000000000000", TEXT];
        let ids: Vec<Id> = texts.iter().map(|text| text.parse().unwrap()).collect();
        assert!(ids.is_sorted());
    }

    /// Computed with another implementation of SHA-256; a change would orphan every stored exclusion.
    #[test]
    fn intent_id_is_the_committed_vector() {
        let strategy: Id = TEXT.parse().unwrap();
        let intent = intent_id(strategy, "0b2b1a52-4d1f-4c8e-9f0a-6f6c1f1b2a3c");
        assert_eq!(intent.to_string(), "79c23e1abf3bbbef05a7df83");
    }

    #[test]
    fn intent_id_depends_on_both_strategy_and_pod() {
        let strategy: Id = TEXT.parse().unwrap();
        let intent = intent_id(strategy, "u1");
        assert_ne!(intent, intent_id(strategy, "u2"));
        assert_ne!(intent, intent_id(Id::from_bytes([0; ID_BYTES]), "u1"));
        assert_eq!(intent, intent_id(strategy, "u1"));
    }
}
