//! The name of a request in the log. Every request has one and few are ever read, so it is made without asking for
//! memory.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{HeaderMap, HeaderName};

static NAME: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a caller, in bytes.
const MAX: usize = 64;

/// What ties log lines to a request: the caller's `X-Request-ID` if it is 1 to 64 characters of `A-Z a-z 0-9 . _ -`,
/// else one of our own. It is used as the text that it is.
#[derive(Clone, Copy)]
pub struct RequestId {
    /// ASCII up to `length`, which is at most [`MAX`].
    text: [u8; MAX],
    length: usize,
}

impl RequestId {
    /// The id of a request with these headers.
    pub(crate) fn of(headers: &HeaderMap) -> RequestId {
        // Few headers come with a request: looking at each name is cheaper than asking the map.
        let sent = headers.iter().find(|(name, _)| **name == NAME);
        let sent = sent.map_or(&b""[..], |(_, value)| value.as_bytes());
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if (1..=MAX).contains(&sent.len()) && sent.iter().all(plain) {
            let mut id = RequestId { text: [0; MAX], length: sent.len() };
            id.text[..sent.len()].copy_from_slice(sent);
            id
        } else {
            RequestId::own()
        }
    }

    /// One that no other request of this process has and that other processes are unlikely to have: 16 hexadecimal
    /// digits for the process, `-`, and a number. Not a secret.
    fn own() -> RequestId {
        static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut text = [0; MAX];
        text[..16].copy_from_slice(&hex(*PROCESS));
        text[16] = b'-';
        text[17..33].copy_from_slice(&hex(count));
        RequestId { text, length: 33 }
    }
}

/// A number as 16 hexadecimal digits.
fn hex(number: u64) -> [u8; 16] {
    std::array::from_fn(|place| {
        let digit = usize::try_from(number >> (60 - 4 * place) & 0xf).expect("four bits fit");
        b"0123456789abcdef"[digit]
    })
}

impl Deref for RequestId {
    type Target = str;

    fn deref(&self) -> &str {
        // Nothing but ASCII is ever pushed.
        std::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn id(sent: &str) -> RequestId {
        let value = HeaderValue::from_bytes(sent.as_bytes()).unwrap();
        RequestId::of(&[("x-request-id".parse().unwrap(), value)].into_iter().collect())
    }

    #[test]
    fn a_plain_id_is_taken_and_any_other_replaced() {
        let longest = "x".repeat(MAX);
        for sent in ["a.B_9-", "0", &longest] {
            assert_eq!(&*id(sent), sent);
        }
        for sent in ["", "a b", "a\u{e9}", &"x".repeat(MAX + 1)] {
            assert_eq!(id(sent).len(), 33, "{sent}: {:?}", id(sent));
        }
    }

    #[test]
    fn own_ids_differ_in_their_number_only() {
        let [one, other] = [0, 1].map(|_| RequestId::of(&HeaderMap::new()));
        assert_ne!(&*one, &*other);
        let ((process, number), (same, _)) = (one.split_once('-').unwrap(), other.split_once('-').unwrap());
        assert!(process == same && process.len() == 16 && u64::from_str_radix(process, 16).is_ok());
        assert!(u64::from_str_radix(number, 16).is_ok(), "{number}");
        assert_eq!(&hex(0x0123_4567_89ab_cdef), b"0123456789abcdef");
    }
}
