//! What goes wrong, as a number that never changes its meaning, and a sentence about this time.

use std::borrow::Cow;
use std::error::Error;
use std::ffi::c_char;

/// Bytes of the text of an error, with its end.
pub const GTHULHU_ERROR_TEXT: usize = 252;

/// What a call came to.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(non_camel_case_types, reason = "the name in C")]
pub enum gthulhu_code {
    /// It did what it says.
    GTHULHU_OK = 0,
    /// A pointer that must not be NULL is.
    GTHULHU_NULL = 1,
    /// The handle was never given out, or has been freed.
    GTHULHU_BAD_HANDLE = 2,
    /// A text is not UTF-8.
    GTHULHU_NOT_UTF8 = 3,
    /// The intents are not a JSON array of intents.
    GTHULHU_NOT_JSON = 4,
    /// An intent breaks a rule; the text names the intent and the rule. Nothing was applied.
    GTHULHU_REFUSED = 5,
    /// The buffer is too short. The size that is needed was told; what was written, the function says.
    GTHULHU_SHORT_BUFFER = 6,
    /// The system said no; the text says to what.
    GTHULHU_SYSTEM = 7,
    /// What was opened or connected to gives no table of strategies.
    GTHULHU_NO_TABLE = 8,
    /// There are 256 handles of this kind already.
    GTHULHU_TOO_MANY = 9,
    /// The table was published too often while it was read, as no writer of ours does; all words are 0.
    GTHULHU_BUSY = 10,
    /// A defect of the library. The handle can only be freed.
    GTHULHU_INSIDE = 11,
    /// An array is not aligned for what is in it, or larger than memory can be.
    GTHULHU_BAD_ARRAY = 12,
}

use gthulhu_code::{
    GTHULHU_BAD_ARRAY, GTHULHU_BAD_HANDLE, GTHULHU_BUSY, GTHULHU_INSIDE, GTHULHU_NO_TABLE, GTHULHU_NOT_JSON,
    GTHULHU_NOT_UTF8, GTHULHU_NULL, GTHULHU_OK, GTHULHU_REFUSED, GTHULHU_SHORT_BUFFER, GTHULHU_SYSTEM,
    GTHULHU_TOO_MANY,
};

/// Which code a number is, and its text; the numbers are their places.
const TEXTS: [(gthulhu_code, &str); 13] = [
    (GTHULHU_OK, "no error\0"),
    (GTHULHU_NULL, "a pointer is NULL that must not be\0"),
    (GTHULHU_BAD_HANDLE, "this handle was never given out, or has been freed\0"),
    (GTHULHU_NOT_UTF8, "a text is not UTF-8\0"),
    (GTHULHU_NOT_JSON, "this is not a JSON array of intents\0"),
    (GTHULHU_REFUSED, "an intent breaks a rule\0"),
    (GTHULHU_SHORT_BUFFER, "the buffer is too short\0"),
    (GTHULHU_SYSTEM, "the system said no\0"),
    (GTHULHU_NO_TABLE, "there is no table of strategies\0"),
    (GTHULHU_TOO_MANY, "there are too many handles\0"),
    (GTHULHU_BUSY, "the table is published too often to be read\0"),
    (GTHULHU_INSIDE, "a defect of the library\0"),
    (GTHULHU_BAD_ARRAY, "an array is not aligned, or larger than memory can be\0"),
];

/// What went wrong, filled by functions that take one. NULL may be passed instead.
#[repr(C)]
#[derive(Debug)]
pub struct gthulhu_error {
    /// One of enum gthulhu_code.
    pub code: u32,
    /// A sentence, always with its end; cut to fit.
    pub text: [c_char; GTHULHU_ERROR_TEXT],
}

/// What a code means in general, as text that is always there. An unknown number has a text too.
#[unsafe(no_mangle)]
pub extern "C" fn gthulhu_code_text(code: u32) -> *const c_char {
    let known = TEXTS.iter().find(|(known, _)| *known as u32 == code);
    known.map_or("an unknown error\0", |(_, text)| text).as_ptr().cast()
}

/// A failure on its way to the caller. One of which the code says all is made without allocating, as it has to be in a
/// signal handler.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) gthulhu_code, pub(crate) Cow<'static, str>);

impl Failure {
    pub(crate) fn new(code: gthulhu_code, text: impl Into<Cow<'static, str>>) -> Self {
        Failure(code, text.into())
    }

    /// With all that an error says, its causes included.
    pub(crate) fn of(code: gthulhu_code, error: &dyn Error) -> Self {
        let causes = std::iter::successors(error.source(), |&error| error.source());
        let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        Failure::new(code, text)
    }
}

impl From<gthulhu_code> for Failure {
    fn from(code: gthulhu_code) -> Self {
        let text = TEXTS.iter().find(|(known, _)| *known == code).map_or("", |&(_, text)| text);
        Failure::new(code, text.trim_end_matches('\0'))
    }
}

/// Tells the caller, if he wants to know, and gives the code.
///
/// # Safety
///
/// `error` is NULL or can be written to.
pub(crate) unsafe fn tell(error: *mut gthulhu_error, failure: Option<&Failure>) -> u32 {
    let code = failure.map_or(GTHULHU_OK, |failure| failure.0) as u32;
    let mut text = [0; GTHULHU_ERROR_TEXT];
    let said = failure.map_or("", |failure| &failure.1);
    // Cut where a character ends, and the last byte is the end.
    let cut = (0..GTHULHU_ERROR_TEXT).rev().find(|&at| said.is_char_boundary(at)).unwrap_or(0);
    for (to, from) in text.iter_mut().zip(&said.as_bytes()[..cut.min(said.len())]) {
        // A text of somebody else's may have one in the middle.
        *to = c_char::from_ne_bytes([if *from == 0 { b' ' } else { *from }]);
    }
    if !error.is_null() {
        // SAFETY: the caller gives what can be written to.
        unsafe { error.write(gthulhu_error { code, text }) };
    }
    code
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn every_code_has_its_number_and_a_text() {
        for (number, (code, text)) in TEXTS.iter().enumerate() {
            assert_eq!(*code as usize, number);
            assert!(text.ends_with('\0') && text.matches('\0').count() == 1);
            // SAFETY: the text just looked at.
            let told = unsafe { CStr::from_ptr(gthulhu_code_text(*code as u32)) };
            assert_eq!(told.to_str(), Ok(text.trim_end_matches('\0')));
        }
        // SAFETY: as above.
        let unknown = unsafe { CStr::from_ptr(gthulhu_code_text(u32::MAX)) };
        assert_eq!(unknown, c"an unknown error");
    }

    #[test]
    fn what_an_error_rests_on_is_told_too() {
        let source = std::io::Error::from_raw_os_error(13);
        let error = gthulhu_lib::process::SourceError::Unreadable { path: "/proc".into(), source };
        let told = Failure::of(GTHULHU_SYSTEM, &error).1;
        assert_eq!(told, "reading processes from /proc: Permission denied (os error 13)");
        assert!(matches!(Failure::from(GTHULHU_BUSY).1, Cow::Borrowed(_)), "made without allocating");
    }

    #[test]
    fn a_text_is_cut_where_a_character_ends() {
        for said in ["", "short", &"\u{e9}".repeat(300), &"x".repeat(252), "a\0b"] {
            let mut error = gthulhu_error { code: 99, text: [1; GTHULHU_ERROR_TEXT] };
            // SAFETY: the error is ours.
            let code = unsafe { tell(&raw mut error, Some(&Failure::new(GTHULHU_REFUSED, said.to_owned()))) };
            assert_eq!((code, error.code), (5, 5));
            // SAFETY: it is never without its end.
            let text = unsafe { CStr::from_ptr(error.text.as_ptr()) }.to_str().expect("whole characters");
            assert!(said.replace('\0', " ").starts_with(text) && text.len() >= said.len().min(250));
        }
    }
}
