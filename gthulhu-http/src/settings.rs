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

mod nearest;
mod reader;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::exit::{self, Exit};

/// Where a file is looked for after the directory that was asked for.
pub const DEFAULT_DIRS: [&str; 3] = ["./config", "/etc/gthulhu", "/app/config"];

/// The flags that choose the configuration file; flatten them into a daemon's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct FileArgs {
    /// Name of the configuration file without `.toml`
    #[arg(short = 'c', long, value_name = "NAME")]
    pub config_name: Option<String>,
    /// Directory searched for it first; then ./config, /etc/gthulhu, /app/config
    #[arg(short = 'd', long, value_name = "DIR")]
    pub config_dir: Option<PathBuf>,
    /// Exactly this file: nothing is searched
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Why there is no configuration. Values of keys named like secrets are in no message.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No directory has the file.
    #[error("no configuration file; looked for {}", list(looked))]
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
    #[error("{place}: {message}")]
    Wrong {
        /// `file:line:column`, or the variable's name.
        place: String,
        /// The key and the rule.
        message: String,
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

/// The process's own environment, for [`locate`] and [`load`].
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Finds the configuration file.
///
/// `--config FILE` wins. Otherwise the name is `PREFIX_CONFIG_NAME`, else `-c`, else `default_name`, and the first
/// directory is `PREFIX_CONFIG_DIR_PATH`, else `-d`; the directories of [`DEFAULT_DIRS`] follow.
pub fn locate(
    prefix: &str,
    default_name: &str,
    args: &FileArgs,
    env: impl Fn(&str) -> Option<String>,
) -> Result<PathBuf, SettingsError> {
    if let Some(file) = &args.config {
        return Ok(file.clone());
    }
    let set = |name: &str| env(&format!("{prefix}_{name}")).filter(|value| !value.is_empty());
    let name =
        set("CONFIG_NAME").or_else(|| args.config_name.clone()).unwrap_or_else(|| default_name.to_owned());
    let asked = set("CONFIG_DIR_PATH").map(PathBuf::from).or_else(|| args.config_dir.clone());
    let dirs = asked.into_iter().chain(DEFAULT_DIRS.map(PathBuf::from));
    let looked: Vec<PathBuf> = dirs.map(|dir| dir.join(format!("{name}.toml"))).collect();
    match looked.iter().find(|path| path.exists()) {
        Some(path) => Ok(path.clone()),
        None => Err(SettingsError::NotFound { looked }),
    }
}

/// Reads the file at `path` and lays the environment over it; what neither names has its default.
///
/// `prefix` is without the underscore (`DM`). The first mistake is reported: with file, line and column, or with
/// the name of the variable; an unknown key with the nearest known one.
pub fn load<T: DeserializeOwned + Serialize + Default>(
    prefix: &str,
    path: &Path,
    env: impl Fn(&str) -> Option<String>,
) -> Result<T, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
    parse(prefix, &path.display().to_string(), &text, env)
}

/// As [`load`], for a text already in memory; `file` is its name in messages.
pub fn parse<T: DeserializeOwned + Serialize + Default>(
    prefix: &str,
    file: &str,
    text: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<T, SettingsError> {
    let known = serde_json::to_value(T::default()).map_err(SettingsError::Default)?;
    let source = reader::Source { prefix, file, text, env: &env };
    let table = toml::de::DeTable::parse(text).map_err(|error| {
        let place = source.place(error.span().map_or(0, |span| span.start));
        // Only the message: the error's full text repeats the line, which may hold a secret.
        SettingsError::Wrong { place, message: error.message().to_owned() }
    })?;
    reader::read(&source, table.get_ref(), &known)
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
