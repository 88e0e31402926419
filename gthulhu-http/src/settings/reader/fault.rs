//! A mistake on its way up: born without a place, placed by the value it is about, shown without secrets.

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use super::super::Mistake;
use super::super::place::Place;
use super::super::secret::is_secret;
use super::{Source, words};

/// What serde reports while values are read.
#[derive(Debug)]
pub(super) struct Fault {
    at: Option<(Place, String)>,
    /// What follows the key's name, from the space or colon on.
    message: String,
    /// The same without the value, for keys whose values are never shown.
    discreet: String,
}

impl Fault {
    /// Gives a mistake its place and key, unless a deeper value already did.
    pub(super) fn placed(self, place: impl FnOnce() -> Place, key: &str) -> Fault {
        if self.at.is_some() {
            return self;
        }
        let message = if is_secret(key) { self.discreet.clone() } else { self.message };
        Fault { at: Some((place(), key.to_owned())), message, discreet: self.discreet }
    }

    pub(super) fn into_mistake(self, source: &Source<'_>) -> Mistake {
        let (place, key) = self.at.unwrap_or_else(|| (source.place(0), String::new()));
        let subject = if key.is_empty() { "the file".to_owned() } else { format!("`{key}`") };
        Mistake { place, message: format!("{subject}{}", self.message), key }
    }

    fn must_be(expected: &str, found: &str) -> Fault {
        let discreet = format!(" must be {expected}");
        Fault { at: None, message: format!("{discreet}, not {found}"), discreet }
    }
}

impl Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        let discreet = ": the value is not accepted".to_owned();
        Fault { at: None, message: format!(": {message}"), discreet }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::must_be(&words::expected(&expected.to_string()), &words::found(found))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        let quoted: Vec<String> = expected.iter().map(|variant| format!("\"{variant}\"")).collect();
        Fault::must_be(&quoted.join(" or "), &words::found(Unexpected::Str(found)))
    }

    fn missing_field(field: &'static str) -> Self {
        let message = format!(" lacks the key `{field}`; write it");
        Fault { at: None, discreet: message.clone(), message }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.discreet)
    }
}

impl std::error::Error for Fault {}
