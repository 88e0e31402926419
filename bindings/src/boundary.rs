//! The border between the two languages: no panic crosses it, and no pointer crosses it unlooked at.

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::gthulhu_code::{GTHULHU_INSIDE, GTHULHU_NOT_UTF8, GTHULHU_NULL};
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
    match (items.is_null(), count) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(GTHULHU_NULL.into()),
        // SAFETY: the caller's promise.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(items, count) }),
    }
}

/// An array that the caller lets us write to; of none it may be NULL.
///
/// # Safety
///
/// `items` is NULL or points to `count` values that nobody else uses.
pub(crate) unsafe fn array_mut<'a, T>(items: *mut T, count: usize) -> Result<&'a mut [T], Failure> {
    match (items.is_null(), count) {
        (_, 0) => Ok(&mut []),
        (true, _) => Err(GTHULHU_NULL.into()),
        // SAFETY: the caller's promise.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts_mut(items, count) }),
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
        unsafe { to.write(value) };
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
}
