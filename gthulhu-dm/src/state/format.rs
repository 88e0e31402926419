//! The frame of the state file: what tells a whole file of ours from anything else.
//!
//! ```text
//! offset  bytes  what
//!      0     16  magic, "gthulhu-dm-state"
//!     16      4  version, little-endian
//!     20      8  length of the payload, little-endian
//!     28     32  SHA-256 of the 28 bytes above and the payload
//!     60      n  payload
//! ```
//!
//! The checksum covers the header too, and the length must be exact: every flipped bit and every cut is seen.

use sha2::{Digest, Sha256};
use thiserror::Error;

/// The version that this build writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// Bytes before the payload.
pub const HEADER: usize = 60;

const MAGIC: &[u8; 16] = b"gthulhu-dm-state";
const PREFIX: usize = 28;

/// Why a file is not a state file that can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Damage {
    /// Shorter than a header, or not opening with the magic.
    #[error("it is not a state file")]
    Foreign,
    /// Whole, but of a version that this build does not know.
    #[error("its version is {0}, this build reads {VERSION}")]
    Version(u32),
    /// Cut short, or with bytes after the end.
    #[error("its length is not the one in its header")]
    Length,
    /// The bytes are not those that were written.
    #[error("its checksum does not match")]
    Checksum,
}

/// Frames a payload.
pub fn seal(payload: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER + payload.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    let sum = checksum(&file, payload);
    file.extend_from_slice(&sum);
    file.extend_from_slice(payload);
    file
}

/// The payload of a file, if the file is whole.
pub fn unseal(file: &[u8]) -> Result<&[u8], Damage> {
    let (prefix, rest) = file.split_first_chunk::<PREFIX>().ok_or(Damage::Foreign)?;
    let (sum, payload) = rest.split_first_chunk::<32>().ok_or(Damage::Foreign)?;
    let (magic, numbers) = prefix.split_first_chunk::<16>().ok_or(Damage::Foreign)?;
    if magic != MAGIC {
        return Err(Damage::Foreign);
    }
    let (version, length) = numbers.split_first_chunk::<4>().ok_or(Damage::Foreign)?;
    if length != (payload.len() as u64).to_le_bytes() {
        return Err(Damage::Length);
    }
    if checksum(prefix, payload) != *sum {
        return Err(Damage::Checksum);
    }
    match u32::from_le_bytes(*version) {
        VERSION => Ok(payload),
        other => Err(Damage::Version(other)),
    }
}

fn checksum(prefix: &[u8], payload: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(prefix);
    hash.update(payload);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_read_back() {
        for payload in [&b""[..], b"{}", &[0xff; 5000]] {
            assert_eq!(unseal(&seal(payload)), Ok(payload));
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let whole = seal(b"{\"intents\":[]}");
        for bit in 0..whole.len() * 8 {
            let mut file = whole.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&file).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_and_every_addition_is_seen() {
        let whole = seal(b"{\"intents\":[]}");
        for length in 0..whole.len() {
            assert!(unseal(&whole[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(unseal(&[&whole[..], b"\n"].concat()), Err(Damage::Length));
        assert_eq!(unseal(&[&whole[..], &whole[..]].concat()), Err(Damage::Length));
    }

    #[test]
    fn other_files_are_foreign_and_newer_ones_are_named() {
        assert_eq!(unseal(b""), Err(Damage::Foreign));
        assert_eq!(unseal(&[b'x'; 200]), Err(Damage::Foreign));
        let mut newer = seal(b"{}");
        newer[16] = 2;
        let sum = checksum(&newer[..PREFIX], b"{}");
        newer[PREFIX..HEADER].copy_from_slice(&sum);
        assert_eq!(unseal(&newer), Err(Damage::Version(2)));
    }
}
