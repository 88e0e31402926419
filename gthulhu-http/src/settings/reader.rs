//! The two layers (environment over file) presented to serde as one tree, with every mistake placed.
//!
//! A struct asks for its fields here. That is the moment at which its section is checked for unknown keys, and
//! each field is looked up: a section again, else its variable, else the value in the file, else left out.

mod fault;
mod section;
mod value;

use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::SettingsError;
use section::Section;

/// Where values come from.
pub(super) struct Source<'a> {
    /// Prefix of the variables, without the underscore.
    pub(super) prefix: &'a str,
    /// The file's name in messages.
    pub(super) file: &'a str,
    /// The file's content, for lines and columns.
    pub(super) text: &'a str,
    /// Looks up a variable.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads a whole configuration.
pub(super) fn read<T: DeserializeOwned>(
    source: &Source<'_>,
    table: &DeTable<'_>,
    known: &serde_json::Value,
) -> Result<T, SettingsError> {
    let root =
        Section { source, path: String::new(), table: Some(table), at: 0, known: Some(known), by_env: true };
    T::deserialize(root).map_err(|fault| fault.into_error(source.file))
}

impl Source<'_> {
    /// `file:line:column` of a byte offset; both count from 1, columns in characters.
    pub(super) fn place(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        format!("{}:{line}:{column}", self.file)
    }

    /// The variable that sets a key, and its value unless that is empty.
    fn variable(&self, path: &str) -> Option<(String, String)> {
        let name = format!("{}_{}", self.prefix, path.replace('.', "_").to_uppercase());
        let value = (self.env)(&name).filter(|value| !value.is_empty())?;
        Some((name, value))
    }
}

/// The full name of a key inside a section.
fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}
