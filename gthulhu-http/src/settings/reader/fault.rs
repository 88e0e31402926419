//! A mistake on its way up: born without a place, placed by the value it is about, shown without secrets.

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use super::super::SettingsError;

/// What serde reports while values are read.
#[derive(Debug)]
pub(super) struct Fault {
    place: Option<String>,
    message: String,
    /// The same without the value, for keys whose values are never shown.
    discreet: String,
}

impl Fault {
    /// A mistake at a known place.
    pub(super) fn at(place: String, message: String) -> Fault {
        Fault { place: Some(place), discreet: message.clone(), message }
    }

    /// Gives a mistake its place and key, unless a deeper value already did.
    pub(super) fn placed(self, place: impl FnOnce() -> String, key: &str) -> Fault {
        if self.place.is_some() {
            return self;
        }
        let said = if is_secret(key) { self.discreet } else { self.message };
        let message = if key.is_empty() { said } else { format!("`{key}`: {said}") };
        Fault::at(place(), message)
    }

    pub(super) fn into_error(self, file: &str) -> SettingsError {
        SettingsError::Wrong { place: self.place.unwrap_or_else(|| file.to_owned()), message: self.message }
    }
}

/// Whether values of this key stay out of every message. Errs on the side of hiding.
fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key).to_lowercase();
    ["password", "key", "pem", "secret", "token"].iter().any(|word| last.contains(word))
}

impl Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        let discreet = "the value is not accepted".to_owned();
        Fault { place: None, message: message.to_string(), discreet }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        // A user knows sections, not the names of our types.
        let expected = if expected.starts_with("struct ") { "a section" } else { &expected };
        let discreet = format!("expected {expected}");
        Fault { place: None, message: format!("{discreet}, found {found}"), discreet }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::invalid_type(found, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        let message = format!("key `{field}` is missing");
        Fault { place: None, discreet: message.clone(), message }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.discreet)
    }
}

impl std::error::Error for Fault {}
