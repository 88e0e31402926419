//! A copy of the scheduler's program whose kernel side the verifier must refuse.
//!
//! The kernel side is an object file inside the program, one of two: the other one only watches. The first instruction of one
//! of its functions becomes a read of a part of the stack that nobody has written, so nothing in the product has to know about
//! this test.

use std::fs;

use super::Scheduler;

/// e_machine of BPF, at byte 18 of an ELF header of 64 bits.
const EM_BPF: [u8; 2] = [247, 0];
/// `r0 = *(u64 *)(r10 + 8)`: above the stack, which is never readable.
const READ_BEYOND: [u8; 8] = [0x79, 0xa0, 8, 0, 0, 0, 0, 0];
/// A section with one function that every scheduler has.
const SECTION: &str = "struct_ops/";

/// The bytes of the program, broken.
pub(crate) fn program() -> Vec<u8> {
    let mut bytes = fs::read(Scheduler::program()).expect("the program is staged");
    let at = objects(&bytes).find_map(|start| Some(start + function(&bytes[start..])?));
    let at = at.expect("an object inside the program has a function for the kernel to call");
    bytes[at..at + 8].copy_from_slice(&READ_BEYOND);
    bytes
}

/// Where objects begin.
fn objects(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let is_object = |at: &usize| {
        bytes[*at..].starts_with(b"\x7fELF\x02\x01\x01") && bytes.get(at + 18..at + 20) == Some(&EM_BPF)
    };
    (0..bytes.len().saturating_sub(64)).filter(is_object)
}

/// Where the code of the first section of functions for the kernel begins.
fn function(object: &[u8]) -> Option<usize> {
    let headers = number(object, 40, 8)?;
    let size = number(object, 58, 2)?;
    let count = number(object, 60, 2)?;
    let names = number(object, headers + number(object, 62, 2)? * size + 24, 8)?;
    (0..count).map(|index| headers + index * size).find_map(|header| {
        let name = names + number(object, header, 4)?;
        object.get(name..)?.starts_with(SECTION.as_bytes()).then_some(())?;
        number(object, header + 24, 8)
    })
}

/// A little-endian number of so many bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let mut whole = [0; 8];
    whole[..length].copy_from_slice(bytes.get(at..at + length)?);
    usize::try_from(u64::from_le_bytes(whole)).ok()
}
