//! Configuration: one TOML file, and an environment variable for every key.
//!
//! What is known comes from the configuration type itself: its fields are the keys, its `Default` shows which of
//! them are sections. So no list of keys can go stale, and a new field is at once known, settable by file and
//! settable by environment. The rules for such a type:
//!
//! * every struct is `#[serde(default)]` and derives both `Deserialize` and `Serialize`;
//! * a section is a plain struct, not an `Option`: inside an optional section only keys of the file are found;
//! * arrays of tables (`[[nodes]]`) have no environment form; other arrays are split at commas.
//!
//! The variable of `server.host` with prefix `DM` is `DM_SERVER_HOST`. It beats the file unless it is empty.
//!
//! [`read`] finds every mistake; a [`Configuration`] adds what its values mean together, as [`Finding`]s; [`examine`] is
//! both, and what `serve` and `config check` have in common. [`cli`] holds the verbs that every daemon has.

pub mod cli;
mod examine;
mod finding;
mod locate;
mod nearest;
mod place;
mod reader;
pub mod rules;
mod secret;
mod show;
mod syntax;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::exit::{self, Exit};

pub use examine::{Configuration, Examined, Ready, examine, examine_found, for_serving};
pub use finding::{Finding, Level};
pub use locate::{DEFAULT_DIRS, FileArgs, locate};
pub use place::{Origins, Place};
pub use secret::Secret;

/// Why there is no configuration. Values of keys named like secrets are in no message.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No directory has the file.
    #[error("no configuration file; looked for {}; name one with --config FILE", list(looked))]
    NotFound {
        /// Every path tried, in order.
        looked: Vec<PathBuf>,
    },
    /// The file exists but cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content of the file or of a variable is wrong.
    #[error("{first}{}", and_more(*more))]
    Wrong {
        /// The mistake nearest to the top of the file.
        first: Mistake,
        /// How many others there are.
        more: usize,
    },
    /// The configuration type's `Default` cannot be written down, so its keys are unknown.
    #[error("the default configuration cannot be serialised: {0}")]
    Default(#[source] serde_json::Error),
}

impl From<SettingsError> for Exit {
    fn from(error: SettingsError) -> Exit {
        let code = match &error {
            SettingsError::NotFound { .. } | SettingsError::Read { .. } => exit::NO_INPUT,
            SettingsError::Wrong { .. } => exit::CONFIG,
            SettingsError::Default(_) => exit::SOFTWARE,
        };
        Exit::new(code, error.to_string())
    }
}

/// Something wrong in the file or in a variable. Shown as `file:line:column: sentence`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub place: Place,
    /// The key it is about; empty where the text is not TOML.
    pub key: String,
    /// What to write. Holds no secret.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// What was read, whether or not all of it was right.
#[derive(Debug)]
pub struct Settings<T> {
    /// The configuration; a key with a mistake has its default.
    pub value: T,
    /// Where each value comes from.
    pub origins: Origins,
    /// Every mistake, from the top of the file down; those in variables come last.
    pub mistakes: Vec<Mistake>,
}

/// The process's own environment, for everything here that reads files. A value need not be text: one that is not, is a
/// mistake and not a variable that was not set.
pub fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Reads the file at `path` and lays the environment over it; what neither names has its default.
///
/// `prefix` is without the underscore (`DM`). A mistake is reported with file, line and column, or with the name of the
/// variable; an unknown key with the nearest known one.
pub fn load<T: DeserializeOwned + Serialize + Default>(
    prefix: &str,
    path: &Path,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<T, SettingsError> {
    without_mistakes(overlaid(prefix, &path.display().to_string(), &text_of(path)?, &env)?)
}

/// As [`load`], for a text already in memory and variables that are text; `file` is the text's name in messages.
pub fn parse<T: DeserializeOwned + Serialize + Default>(
    prefix: &str,
    file: &str,
    text: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<T, SettingsError> {
    without_mistakes(read(prefix, file, text, env)?)
}

/// As [`parse`], but goes on after a mistake, to find them all.
pub fn read<T: DeserializeOwned + Serialize + Default>(
    prefix: &str,
    file: &str,
    text: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Settings<T>, SettingsError> {
    overlaid(prefix, file, text, &|name| env(name).map(OsString::from))
}

fn without_mistakes<T>(settings: Settings<T>) -> Result<T, SettingsError> {
    let Settings { value, mistakes, .. } = settings;
    let more = mistakes.len().saturating_sub(1);
    mistakes.into_iter().next().map_or(Ok(value), |first| Err(SettingsError::Wrong { first, more }))
}

fn overlaid<T: DeserializeOwned + Serialize + Default>(
    prefix: &str,
    file: &str,
    text: &str,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Settings<T>, SettingsError> {
    let known = serde_json::to_value(T::default()).map_err(SettingsError::Default)?;
    let source = reader::Source::new(prefix, file, text, env);
    let (table, errors) = toml::de::DeTable::parse_recoverable(text);
    let syntax = syntax::Syntax::new(&source, &errors);
    let (value, origins, mut mistakes) = reader::read(&source, table.get_ref(), &known);
    mistakes.retain(|mistake| syntax.believes(mistake));
    mistakes.extend(syntax.mistakes);
    mistakes.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(Settings { value, origins, mistakes })
}

fn text_of(path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|source| SettingsError::Read { path: path.to_owned(), source })
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn and_more(more: usize) -> String {
    if more == 0 { String::new() } else { format!(" (and {more} more)") }
}

#[cfg(test)]
mod tests;
