//! Why a call to the API came to nothing, and when to try again.

use std::error::Error;
use std::time::Duration;

/// How much of the server's own words goes into our messages, in characters.
const QUOTED_CHARS_MAX: usize = 200;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What happened, in half a sentence.
    pub(super) reason: String,
    /// The server asks to be left alone for this long.
    pub(super) retry_after: Option<Duration>,
    /// What was asked for is past: everything must be read anew.
    pub(super) gone: bool,
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after: None, gone: false }
    }
}

/// The error followed by its causes, each after `: `.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        // Many errors already end with their cause.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}

/// A stranger's words on one line of bounded length.
pub(super) fn quoted(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(visible).take(QUOTED_CHARS_MAX).collect()
}
