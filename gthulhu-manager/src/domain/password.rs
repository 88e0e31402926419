//! Password hashes and the rule for new passwords.
//!
//! New hashes are argon2id with m=19456 KiB, t=2, p=1. Older hashes are verified with the parameters they carry, as
//! long as these lie in a range that cannot be used to exhaust memory or time.

mod memory;

use std::fmt;
use std::ops::RangeInclusive;

use argon2::password_hash::phc;
use serde::{Deserialize, Serialize};

pub use memory::HashMemory;

/// How many characters a new password may have. Passwords that exist already keep working whatever their length.
pub const PASSWORD_CHARS: RangeInclusive<usize> = 15..=128;

/// What computing a hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    memory: u32,
    /// Passes over it.
    passes: u32,
    /// Lanes.
    lanes: u32,
}

impl HashCost {
    /// The cost of new hashes.
    pub const CURRENT: Self = Self { memory: 19_456, passes: 2, lanes: 1 };

    /// What a hash of this cost begins with, in PHC form.
    fn head(self) -> String {
        let Self { memory, passes, lanes } = self;
        format!("$argon2id$v=19$m={memory},t={passes},p={lanes}")
    }
}

/// The length of a new hash.
const HASH_BYTES: usize = 32;

/// What is accepted from a stored hash: memory, passes, lanes.
const ACCEPTED: (RangeInclusive<u32>, RangeInclusive<u32>, RangeInclusive<u32>) =
    (7_168..=65_536, 1..=10, 1..=4);
/// The salt and the hash of a user who does not exist. No password is known for it: it was not computed from one.
const NOBODY: &str = "bm9ib2R5bm9ib2R5bm9ibw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Shorter names are too likely to occur in any sentence.
const USERNAME_CHARS_MIN: usize = 3;

/// Passwords that examples, charts and tutorials print, and the long ones that people choose most.
const PUBLISHED: &[&str] = &[
    "123456789012345",
    "1234567890123456",
    "admin",
    "administrator",
    "changeme",
    "changemechangeme",
    "correct horse battery staple",
    "correcthorsebatterystaple",
    "password",
    "passwordpassword",
    "qwertyuiopasdfgh",
    "qwertyuiopasdfghjkl",
    "thisisapassword",
    "your-password",
    "your-password-here",
];

/// A PHC string. Never shown by `Debug`; written only into the store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

/// Why a new password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// It is printed in examples.
    #[error("must not be a published password")]
    Published,
    /// Outside [`PASSWORD_CHARS`].
    #[error("must have 15 to 128 characters")]
    Length,
    /// It repeats the name.
    #[error("must not contain the username")]
    ContainsUsername,
    /// It is the one that had to be changed.
    #[error("must differ from the old password")]
    Unchanged,
}

/// Is it printed in examples? Such a password is refused wherever it comes from.
pub fn is_published(password: &str) -> bool {
    PUBLISHED.contains(&password.to_lowercase().as_str())
}

/// Checks a password that `username` is about to get.
pub fn check_password(username: &str, password: &str) -> Result<(), WeakPassword> {
    let (lower, username) = (password.to_lowercase(), username.to_lowercase());
    if is_published(password) {
        return Err(WeakPassword::Published);
    }
    if !PASSWORD_CHARS.contains(&password.chars().count()) {
        return Err(WeakPassword::Length);
    }
    if username.chars().count() >= USERNAME_CHARS_MIN && lower.contains(&username) {
        return Err(WeakPassword::ContainsUsername);
    }
    Ok(())
}

impl PasswordHash {
    /// Hashes `password` with the current parameters and a fresh salt. Takes tens of milliseconds and 19 MiB.
    pub fn new(password: &str) -> Self {
        Self::new_in(password, &mut HashMemory::default())
    }

    /// As [`PasswordHash::new`], in memory that is there already.
    pub fn new_in(password: &str, memory: &mut HashMemory) -> Self {
        let (salt, mut hash) = (phc::Salt::generate(), [0; HASH_BYTES]);
        memory.compute(HashCost::CURRENT, password, &salt, &mut hash).expect("the current cost is valid");
        let hash = phc::Output::new(&hash).expect("a hash of a usual length");
        Self(format!("{}${salt}${hash}", HashCost::CURRENT.head()))
    }

    /// A hash that was made elsewhere. One that cannot be used matches no password.
    pub fn from_phc(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The PHC string, for the store.
    pub fn as_phc(&self) -> &str {
        &self.0
    }

    /// The hash as it is stored.
    #[cfg(test)]
    pub(crate) fn to_phc(&self) -> String {
        self.0.clone()
    }

    /// The hash compared with when there is no such user, so that refusing him costs as much.
    pub fn nobody() -> Self {
        Self::nobody_of(HashCost::CURRENT)
    }

    /// As [`PasswordHash::nobody`], for a user whose hash would have another cost.
    pub fn nobody_of(cost: HashCost) -> Self {
        Self(format!("{}${NOBODY}", cost.head()))
    }

    /// What [`PasswordHash::verify`] costs.
    pub fn cost(&self) -> HashCost {
        self.parse().as_ref().and_then(cost).unwrap_or(HashCost::CURRENT)
    }

    /// Is this the hash of `password`? A hash that cannot be used costs as much as one that can, and is nobody's.
    pub fn verify(&self, password: &str) -> bool {
        self.verify_in(password, &mut HashMemory::default())
    }

    /// As [`PasswordHash::verify`], in memory that is there already.
    pub fn verify_in(&self, password: &str, memory: &mut HashMemory) -> bool {
        let usable = self.parse();
        let hash = usable.clone().or_else(|| Self::nobody().parse());
        let equal = hash.is_some_and(|hash| is_of(&hash, password, memory).unwrap_or(false));
        equal && usable.is_some()
    }

    /// True when a new hash of the same password would carry the same parameters.
    pub fn is_current(&self) -> bool {
        self.parse().is_some_and(|hash| cost(&hash) == Some(HashCost::CURRENT))
    }

    /// The parsed hash, if it is argon2id version 19 with acceptable parameters, a salt and a hash.
    fn parse(&self) -> Option<phc::PasswordHash> {
        let hash = phc::PasswordHash::new(&self.0).ok()?;
        let HashCost { memory, passes, lanes } = cost(&hash)?;
        let accepted =
            ACCEPTED.0.contains(&memory) && ACCEPTED.1.contains(&passes) && ACCEPTED.2.contains(&lanes);
        let complete = hash.salt.is_some() && hash.hash.as_ref().is_some_and(|h| h.len() >= 16);
        let ours = hash.algorithm.as_str() == "argon2id" && hash.version == Some(19);
        (accepted && complete && ours).then_some(hash)
    }
}

/// Compares in constant time, as `phc` does; none if there is nothing to compare.
fn is_of(hash: &phc::PasswordHash, password: &str, memory: &mut HashMemory) -> Option<bool> {
    let (cost, salt, expected) = (cost(hash)?, hash.salt?, hash.hash?);
    let mut computed = vec![0; expected.len()];
    memory.compute(cost, password, &salt, &mut computed)?;
    Some(phc::Output::new(&computed).ok()? == expected)
}

fn cost(hash: &phc::PasswordHash) -> Option<HashCost> {
    let number = |name: &str| hash.params.get_decimal(name);
    Some(HashCost { memory: number("m")?, passes: number("t")?, lanes: number("p")? })
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordHasher;
    use argon2::{Algorithm, Argon2, Params, Version};

    use super::*;

    /// `correct-horse` as the older manager stored it: m=16384, t=3, p=2.
    fn older() -> PasswordHash {
        let params = Params::new(16_384, 3, 2, None).unwrap();
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash: phc::PasswordHash = hasher.hash_password(b"correct-horse").unwrap();
        PasswordHash(hash.to_string())
    }

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = PasswordHash::new("correct-horse");
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hash.verify("correct-horse") && hash.is_current());
        assert!(!hash.verify("correct-horsf") && !hash.verify(""));
        assert_ne!(hash, PasswordHash::new("correct-horse"), "every hash has its own salt");
        assert_eq!(format!("{hash:?}"), "PasswordHash(..)");
    }

    #[test]
    fn memory_is_used_again_for_hashes_of_every_cost() {
        let mut memory = HashMemory::default();
        for _ in 0..2 {
            let new = PasswordHash::new_in("correct-horse", &mut memory);
            for hash in [&new, &older()] {
                assert!(hash.verify_in("correct-horse", &mut memory) && hash.verify("correct-horse"));
                assert!(!hash.verify_in("correct-horsf", &mut memory));
            }
        }
    }

    #[test]
    fn an_older_hash_matches_but_is_not_current() {
        assert!(older().verify("correct-horse") && !older().verify("wrong"));
        assert!(!older().is_current());
    }

    #[test]
    fn hashes_that_another_program_made_match() {
        // By argon2-cffi, with the parameters of the older manager.
        for (password, hash) in [
            ("correct-horse", "AAECAwQFBgcICQoLDA0ODw$JmRXJTynYRQQ5Ajh4wKa2ALuVeWNm318bwzXgpHQELA"),
            ("päßwort mit Umlaut", "/////////////////////w$rmK5Z66V2gAL1tHkT58g6bwoqpBF8AJjGcpG9jhUjNI"),
        ] {
            let hash = PasswordHash::from_phc(format!("$argon2id$v=19$m=16384,t=3,p=2${hash}"));
            assert!(hash.verify(password) && !hash.verify("correct-horsf") && !hash.is_current());
        }
        let other_kind = "$argon2i$v=19$m=16384,t=3,p=2$AAECAwQFBgcICQoLDA0ODw$k1Su0/N3Lf6y2bcY/2TJTS0Y5JQwrZAOujKWFjTChuU";
        assert!(!PasswordHash::from_phc(other_kind).verify("correct-horse"), "argon2id is the only kind");
    }

    #[test]
    fn a_hash_that_cannot_be_used_matches_nothing() {
        let good = PasswordHash::new("p").0;
        for (from, to) in [
            ("m=19456", "m=4194304"),
            ("m=19456", "m=8"),
            ("t=2", "t=0"),
            ("t=2", "t=4000000000"),
            ("p=1", "p=0"),
            ("p=1", "p=255"),
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
            ("m=19456,", ""),
            (good.as_str(), ""),
            (good.as_str(), "p"),
            (good.as_str(), "$argon2id$v=19$m=19456,t=2,p=1"),
        ] {
            let bad = PasswordHash(good.replace(from, to));
            assert!(bad.parse().is_none() && !bad.is_current() && !bad.verify("p"), "{from} -> {to}");
        }
        assert!(PasswordHash::nobody().parse().is_some(), "it must cost as much as a real one");
        assert!(!PasswordHash::nobody().verify(""));
    }

    #[test]
    fn a_new_password_is_long_unpublished_and_not_the_name() {
        for (username, password, verdict) in [
            ("ann", "a long enough one", Ok(())),
            ("ann", "fifteen chars!!", Ok(())),
            ("ann", "fourteen chars", Err(WeakPassword::Length)),
            ("ann", "äöüäöüäöüäöüäö!", Ok(())),
            ("ann", &"x".repeat(128), Ok(())),
            ("ann", &"x".repeat(129), Err(WeakPassword::Length)),
            ("ann", "", Err(WeakPassword::Length)),
            ("ann", "your-password", Err(WeakPassword::Published)),
            ("ann", "Your-Password-Here", Err(WeakPassword::Published)),
            ("ann", "annually renewed!", Err(WeakPassword::ContainsUsername)),
            ("Ann@Example.com", "my ann@example.COM!", Err(WeakPassword::ContainsUsername)),
            ("nn", "annually renewed!", Ok(())),
        ] {
            assert_eq!(check_password(username, password), verdict, "{username} {password}");
        }
    }
}
