//! The rules that user-written values keep. The manager applies them to strategies, the decision maker to
//! intents: one home, so that what one accepts the other does too.

use std::collections::BTreeMap;

use crate::matcher::CommandRegex;
use crate::strategy::{PRIORITY_MAX, SLICE_MAX_NS, SLICE_MIN_NS};

/// Longest command regex, in bytes of text.
pub const COMMAND_REGEX_BYTES_MAX: usize = 512;

/// Longest name that Kubernetes gives to anything: a DNS subdomain.
const NAME_BYTES_MAX: usize = 253;

/// Longest DNS label, label name and label value.
const LABEL_BYTES_MAX: usize = 63;

/// What a site allows beyond the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Accept any priority: above 20 acts as 20, below 0 acts as 0.
    pub accept_any_priority: bool,
}

/// A value that breaks a rule. It reads as a sentence: `priority must be 0 to 20`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}")]
pub struct Invalid {
    /// The field as the user spells it, with its position in a list: `intents[3].priority`.
    pub field: String,
    /// The rule, as the rest of the sentence. It never repeats the value.
    pub rule: String,
}

impl Invalid {
    /// `field` breaks `rule`.
    pub fn new(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { field: field.into(), rule: rule.into() }
    }
}

/// The priority is 0 to 20, unless the site accepts any.
///
/// # Errors
///
/// If it is not; the field is `field`.
pub fn check_priority(field: &str, priority: i64, limits: &Limits) -> Result<(), Invalid> {
    let fits = (0..=i64::from(PRIORITY_MAX)).contains(&priority);
    require(fits || limits.accept_any_priority, field, "must be 0 to 20")
}

/// The time slice is 0 (the scheduler's default), or 100 microseconds to 100 milliseconds.
///
/// # Errors
///
/// If it is not; the field is `field`.
pub fn check_execution_time(field: &str, nanoseconds: i64) -> Result<(), Invalid> {
    let fits = (i64::from(SLICE_MIN_NS)..=i64::from(SLICE_MAX_NS)).contains(&nanoseconds);
    require(nanoseconds == 0 || fits, field, "must be 0 or 100000 to 100000000 nanoseconds")
}

/// The command regex is short, well formed and small once compiled. Empty is allowed: it matches everything.
///
/// # Errors
///
/// If it is longer than [`COMMAND_REGEX_BYTES_MAX`], no regular expression, or larger than
/// [`REGEX_SIZE_LIMIT`](crate::matcher::REGEX_SIZE_LIMIT) once compiled; the field is `field`.
pub fn check_command_regex(field: &str, pattern: &str) -> Result<(), Invalid> {
    require(pattern.len() <= COMMAND_REGEX_BYTES_MAX, field, "must be at most 512 bytes")?;
    match CommandRegex::compile(pattern) {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(_)) => {
            Err(Invalid::new(field, "must be simpler: it compiles to more than 256 KiB"))
        }
        Err(error) => {
            Err(Invalid::new(field, format!("must be a regular expression: {}", regex_fault(&error))))
        }
    }
}

/// The fault alone: the library's text also draws the pattern, over several lines.
fn regex_fault(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The namespace is a DNS label: 1 to 63 of a-z, 0-9 and -, alphanumeric at both ends.
///
/// # Errors
///
/// If it is not; the field is `field`.
pub fn check_namespace(field: &str, namespace: &str) -> Result<(), Invalid> {
    require(
        is_dns_label(namespace),
        field,
        "must be 1 to 63 of a-z, 0-9 and -, starting and ending with a letter or digit",
    )
}

/// The label key is a name of 1 to 63 characters, after an optional DNS subdomain and a slash.
///
/// # Errors
///
/// If it is not; the field is `field`.
pub fn check_label_key(field: &str, key: &str) -> Result<(), Invalid> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let prefix_fits = prefix.is_none_or(|domain| {
        domain.len() <= NAME_BYTES_MAX && domain.split('.').all(is_dns_label_of_any_length)
    });
    require(
        prefix_fits && is_label_name(name),
        field,
        "must be a Kubernetes label key, such as app or example.com/app",
    )
}

/// The label value is empty, or 1 to 63 letters, digits, - _ and ., alphanumeric at both ends.
///
/// # Errors
///
/// If it is not; the field is `field`.
pub fn check_label_value(field: &str, value: &str) -> Result<(), Invalid> {
    require(
        value.is_empty() || is_label_name(value),
        field,
        "must be empty or at most 63 letters, digits, - _ and ., starting and ending with a letter or digit",
    )
}

/// Every key and value is a Kubernetes label. A bad value is named with its key: `podLabels.app`.
///
/// # Errors
///
/// For the first one, in the order of the keys, that is not; the field is `field` or, for a value, `field` with the key.
pub fn check_labels(field: &str, labels: &BTreeMap<String, String>) -> Result<(), Invalid> {
    for (key, value) in labels {
        check_label_key(field, key).map_err(|_| {
            Invalid::new(field, "must have Kubernetes label keys, such as app or example.com/app")
        })?;
        check_label_value(field, value)
            .map_err(|fault| Invalid::new(format!("{field}.{key}"), fault.rule))?;
    }
    Ok(())
}

/// The name, which may be absent, is short and prints on one line.
pub(super) fn check_name(field: &str, name: &str) -> Result<(), Invalid> {
    let fits = name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
    require(fits, field, "must be at most 253 bytes without control characters")
}

fn is_dns_label(text: &str) -> bool {
    text.len() <= LABEL_BYTES_MAX && is_dns_label_of_any_length(text)
}

/// Kubernetes bounds the parts of a subdomain only by the whole.
fn is_dns_label_of_any_length(text: &str) -> bool {
    is_word(text, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(), b"-")
}

fn is_label_name(text: &str) -> bool {
    text.len() <= LABEL_BYTES_MAX && is_word(text, |byte| byte.is_ascii_alphanumeric(), b"-_.")
}

/// Whether `text` is non-empty, begins and ends with a letter (as `is_letter` sees it), and has only letters
/// and `inner` between.
fn is_word(text: &str, is_letter: impl Fn(u8) -> bool, inner: &[u8]) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => is_letter(*only),
        [first, middle @ .., last] => {
            is_letter(*first)
                && is_letter(*last)
                && middle.iter().all(|&byte| is_letter(byte) || inner.contains(&byte))
        }
    }
}

fn require(holds: bool, field: &str, rule: &str) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid::new(field, rule)) }
}
