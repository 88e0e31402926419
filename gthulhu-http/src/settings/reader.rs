//! The two layers (environment over file) presented to serde as one tree, with every mistake placed.
//!
//! A struct asks for its fields here. That is the moment at which its section is checked for unknown keys, and
//! each field is looked up: a section again, else its variable, else the value in the file, else left out.
//!
//! serde stops at the first value that it cannot take. So the tree is read again without that value, until nothing
//! is wrong with the rest: each mistake is reported once, and what remains is the configuration without them.

mod fault;
mod section;
mod value;
mod words;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::Mistake;
use super::place::{Origins, Place};
use section::Section;

/// More mistakes than this in one file, and it is not a configuration file.
const MISTAKES_MAX: usize = 100;

/// Where values come from, and what was noticed about them on the way.
pub(super) struct Source<'a> {
    /// Prefix of the variables, without the underscore.
    pub(super) prefix: &'a str,
    /// The file's name in messages.
    pub(super) file: &'a str,
    /// The file's content, for lines and columns.
    pub(super) text: &'a str,
    /// Looks up a variable.
    pub(super) env: &'a dyn Fn(&str) -> Option<OsString>,
    /// Keys whose values are wrong, left out in the next reading.
    skipped: RefCell<BTreeSet<String>>,
    /// Unknown keys and variables that are no text, by their place: a second reading finds them again.
    noted: RefCell<BTreeMap<Place, Mistake>>,
    origins: RefCell<Origins>,
}

/// Reads a whole configuration, with the defaults for what is wrong in it.
pub(super) fn read<T: DeserializeOwned + Default>(
    source: &Source<'_>,
    table: &DeTable<'_>,
    known: &serde_json::Value,
) -> (T, Origins, Vec<Mistake>) {
    let mut wrong = Vec::new();
    let value = loop {
        source.origins.replace(Origins::new(source.file));
        let root = Section {
            source,
            path: String::new(),
            table: Some(table),
            at: 0,
            known: Some(known),
            by_env: true,
        };
        let mistake = match T::deserialize(root) {
            Ok(value) => break value,
            Err(fault) => fault.into_mistake(source),
        };
        // A mistake about the whole, or one that leaving the value out did not cure, leaves the defaults.
        let cured = !mistake.key.is_empty() && source.skipped.borrow_mut().insert(mistake.key.clone());
        wrong.push(mistake);
        if !cured || wrong.len() == MISTAKES_MAX {
            break T::default();
        }
    };
    wrong.extend(source.noted.take().into_values());
    (value, source.origins.take(), wrong)
}

impl<'a> Source<'a> {
    pub(super) fn new(
        prefix: &'a str,
        file: &'a str,
        text: &'a str,
        env: &'a dyn Fn(&str) -> Option<OsString>,
    ) -> Source<'a> {
        let (skipped, noted, origins) = <_>::default();
        Source { prefix, file, text, env, skipped, noted, origins }
    }

    /// The place of a byte offset.
    pub(super) fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        Place::File { file: self.file.to_owned(), line, column }
    }

    /// The variable that sets a key, and its value unless that is empty.
    fn variable(&self, path: &str) -> Option<(String, OsString)> {
        let name = format!("{}_{}", self.prefix, path.replace('.', "_").to_uppercase());
        let value = (self.env)(&name).filter(|value| !value.is_empty())?;
        Some((name, value))
    }

    fn is_skipped(&self, path: &str) -> bool {
        self.skipped.borrow().contains(path)
    }

    /// Keeps a mistake that is no reason to stop reading.
    fn note(&self, mistake: Mistake) {
        self.noted.borrow_mut().insert(mistake.place.clone(), mistake);
    }
}

/// The full name of a key inside a section.
fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}
