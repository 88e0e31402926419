//! Unpredictable values: raw bytes for names and secrets, and passwords that a person can type.

use ring::rand::{SecureRandom, SystemRandom};

/// What a generated password is made of: no `0 O o`, no `1 I l i`, so that it survives being read aloud.
const ALPHABET: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz";

/// Length of a generated password, in characters: 24 of 55 symbols are 138 bits.
pub const PASSWORD_CHARS: usize = 24;

/// `N` bytes from the kernel's random source.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    SystemRandom::new().fill(&mut out).expect("getrandom(2) does not fail once the kernel has booted");
    out
}

/// A password of [`PASSWORD_CHARS`] characters; every symbol is equally likely.
pub fn password() -> String {
    let mut out = String::with_capacity(PASSWORD_CHARS);
    while out.len() < PASSWORD_CHARS {
        // Bytes past the end of the alphabet are thrown away: a remainder would favour its beginning.
        let symbols = bytes::<32>().into_iter().map(|byte| usize::from(byte >> 2));
        out.extend(symbols.filter_map(|index| ALPHABET.get(index)).map(|&symbol| char::from(symbol)));
    }
    out.truncate(PASSWORD_CHARS);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn bytes_differ_from_call_to_call() {
        let seen: HashSet<[u8; 16]> = (0..64).map(|_| bytes()).collect();
        assert_eq!(seen.len(), 64);
    }

    #[test]
    fn passwords_have_the_promised_shape_and_never_repeat() {
        let seen: HashSet<String> = (0..200).map(|_| password()).collect();
        assert_eq!(seen.len(), 200);
        for password in &seen {
            assert_eq!(password.len(), PASSWORD_CHARS);
            assert!(password.bytes().all(|byte| ALPHABET.contains(&byte)), "{password}");
        }
    }

    #[test]
    fn every_symbol_of_the_alphabet_turns_up_and_none_twice_in_it() {
        let distinct: HashSet<u8> = ALPHABET.iter().copied().collect();
        assert_eq!(distinct.len(), ALPHABET.len());
        let seen: HashSet<u8> = (0..400).flat_map(|_| password().into_bytes()).collect();
        assert_eq!(seen, distinct);
    }
}
