//! What strangers say, as our messages repeat it.

/// How much of a stranger's words goes into our messages, in characters.
const CHARS_MAX: usize = 200;

/// A stranger's words on one line of bounded length; what cannot be seen is shown as U+FFFD.
pub(crate) fn quoted(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.trim().chars().map(visible).take(CHARS_MAX).collect()
}
