//! The border between the two languages: no panic crosses it, and no pointer crosses it unlooked at.

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use crate::error::gthulhu_code::{GTHULHU_BAD_ARRAY, GTHULHU_INSIDE, GTHULHU_NOT_UTF8, GTHULHU_NULL};
use crate::error::{Failure, gthulhu_error, tell};

/// Runs the body of a function. Whatever becomes of it, the caller gets a number.
///
/// # Safety
///
/// `error` is NULL or can be written to.
pub(crate) unsafe fn guarded(error: *mut gthulhu_error, body: impl FnOnce() -> Result<(), Failure>) -> u32 {
    // What a panic leaves half done is behind a lock that it poisons.
    let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err(GTHULHU_INSIDE.into()));
    // SAFETY: the caller's promise.
    unsafe { tell(error, outcome.err().as_ref()) }
}

/// As [`guarded`], for a function that gives a handle, or NULL.
///
/// # Safety
///
/// As for `guarded`.
pub(crate) unsafe fn guarded_handle<T>(
    error: *mut gthulhu_error,
    body: impl FnOnce() -> Result<*mut T, Failure>,
) -> *mut T {
    let mut made = std::ptr::null_mut();
    // SAFETY: the caller's promise.
    unsafe {
        guarded(error, || {
            made = body()?;
            Ok(())
        })
    };
    made
}

/// A text of the caller's.
///
/// # Safety
///
/// `text` is NULL or ends with a 0.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(GTHULHU_NULL.into());
    }
    // SAFETY: it is not NULL, so it has an end.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| GTHULHU_NOT_UTF8.into())
}

/// An array of the caller's; of none it may be NULL.
///
/// # Safety
///
/// `items` is NULL or points to `count` values that nobody writes to.
pub(crate) unsafe fn array<'a, T>(items: *const T, count: usize) -> Result<&'a [T], Failure> {
    if !is_array(items, count)? {
        return Ok(&[]);
    }
    // SAFETY: the caller's promise, and it is aligned and of a size that can be.
    Ok(unsafe { slice::from_raw_parts(items, count) })
}

/// Numbers that the caller wants to be told, 0 at first; of none it may be NULL.
///
/// # Safety
///
/// `items` is NULL or points to room for `count` numbers that nobody else uses.
pub(crate) unsafe fn numbers<'a>(items: *mut u64, count: usize) -> Result<&'a mut [u64], Failure> {
    if !is_array(items, count)? {
        return Ok(&mut []);
    }
    // SAFETY: the caller's promise, and it is aligned and of a size that can be. What C has never written to is no number.
    unsafe {
        items.write_bytes(0, count);
        Ok(slice::from_raw_parts_mut(items, count))
    }
}

/// Whether there is anything in an array, if it can be one.
fn is_array<T>(items: *const T, count: usize) -> Result<bool, Failure> {
    let size = count.checked_mul(size_of::<T>()).and_then(|size| isize::try_from(size).ok());
    match (count, items.is_null()) {
        (0, _) => Ok(false),
        (_, true) => Err(GTHULHU_NULL.into()),
        _ if size.is_none() || !items.is_aligned() => Err(GTHULHU_BAD_ARRAY.into()),
        _ => Ok(true),
    }
}

/// Room of the caller's, of which only so much is touched as is filled: more may be said to be there than is.
pub(crate) struct Room<T> {
    at: *mut T,
    capacity: usize,
}

impl<T> Room<T> {
    /// Of none it may be NULL.
    ///
    /// # Safety
    ///
    /// `at` is NULL, or whatever is put in afterwards may be written there, up to `capacity` values.
    pub(crate) unsafe fn new(at: *mut T, capacity: usize) -> Result<Self, Failure> {
        if at.is_null() && capacity > 0 { Err(GTHULHU_NULL.into()) } else { Ok(Self { at, capacity }) }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Writes as many of these as there is room for, from the beginning.
    pub(crate) fn fill(&mut self, values: impl IntoIterator<Item = T>) {
        for (at, value) in values.into_iter().take(self.capacity).enumerate() {
            // SAFETY: the promise of `new`.
            unsafe { self.at.add(at).write_unaligned(value) };
        }
    }
}

/// Writes what the caller asked to be told, if he did.
///
/// # Safety
///
/// `to` is NULL or can be written to.
pub(crate) unsafe fn put<T>(to: *mut T, value: T) {
    if !to.is_null() {
        // SAFETY: the caller's promise.
        unsafe { to.write_unaligned(value) };
    }
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;

    #[test]
    fn a_panic_is_a_number_on_the_other_side() {
        let mut error = gthulhu_error { code: 0, text: [0; crate::GTHULHU_ERROR_TEXT] };
        // SAFETY: the error is ours.
        let code = unsafe { guarded(&raw mut error, || resume_unwind(Box::new("a defect"))) };
        assert_eq!((code, error.code), (GTHULHU_INSIDE as u32, GTHULHU_INSIDE as u32));
        // SAFETY: nothing is written to NULL.
        let made =
            unsafe { guarded_handle::<u8>(std::ptr::null_mut(), || resume_unwind(Box::new("another"))) };
        assert!(made.is_null());
    }

    #[test]
    fn what_can_be_no_array_is_taken_for_none() {
        let words = [1_u64, 2];
        let odd = words.as_ptr().wrapping_byte_add(1);
        for (items, count, code) in [
            (odd, 1, GTHULHU_BAD_ARRAY),
            (words.as_ptr(), usize::MAX, GTHULHU_BAD_ARRAY),
            (words.as_ptr(), isize::MAX as usize / 8 + 1, GTHULHU_BAD_ARRAY),
            (std::ptr::null(), 1, GTHULHU_NULL),
        ] {
            // SAFETY: neither is read or written to.
            let outcomes = unsafe {
                [array(items, count).err(), numbers(items.cast_mut(), count).err()]
                    .map(|failure| failure.map(|failure| failure.0))
            };
            assert_eq!(outcomes, [Some(code); 2]);
        }
        for nothing in [std::ptr::null(), odd] {
            // SAFETY: of no numbers none is read.
            assert!(unsafe { array(nothing, 0) }.is_ok_and(<[u64]>::is_empty));
        }
    }

    #[test]
    fn of_room_only_what_is_filled_is_touched() {
        let mut words = [u64::MAX; 3];
        let odd = words.as_mut_ptr().wrapping_byte_add(1);
        // SAFETY: two words fit, and no more are put in.
        let mut room = unsafe { Room::new(odd, usize::MAX) }.expect("there is some");
        room.fill([0, 0]);
        assert_eq!(words.map(u64::to_ne_bytes).concat(), [&[255][..], &[0; 16], &[255; 7]].concat());
        let odd = words.as_mut_ptr().wrapping_byte_add(1);
        // SAFETY: as above.
        unsafe { Room::new(odd, 1) }.expect("there is some").fill([1, 1]);
        assert_eq!(words.map(u64::to_ne_bytes).concat()[9..17], [0; 8]);
        // SAFETY: nothing is written there.
        assert!(unsafe { Room::<u8>::new(std::ptr::null_mut(), 0) }.is_ok_and(|room| room.capacity() == 0));
    }
}
