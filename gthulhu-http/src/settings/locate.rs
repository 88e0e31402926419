//! Which file is the configuration.

use std::ffi::OsString;
use std::path::PathBuf;

use super::SettingsError;

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

/// Finds the configuration file.
///
/// `--config FILE` wins. Otherwise the name is `PREFIX_CONFIG_NAME`, else `-c`, else `default_name`, and the first
/// directory is `PREFIX_CONFIG_DIR_PATH`, else `-d`; the directories of [`DEFAULT_DIRS`] follow.
pub fn locate(
    prefix: &str,
    default_name: &str,
    args: &FileArgs,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, SettingsError> {
    if let Some(file) = &args.config {
        return Ok(file.clone());
    }
    let set = |name: &str| env(&format!("{prefix}_{name}")).filter(|value| !value.is_empty());
    let asked = set("CONFIG_NAME").or_else(|| args.config_name.clone().map(OsString::from));
    let mut name = asked.unwrap_or_else(|| default_name.into());
    name.push(".toml");
    let asked = set("CONFIG_DIR_PATH").map(PathBuf::from).or_else(|| args.config_dir.clone());
    let dirs = asked.into_iter().chain(DEFAULT_DIRS.map(PathBuf::from));
    let looked: Vec<PathBuf> = dirs.map(|dir| dir.join(&name)).collect();
    match looked.iter().find(|path| path.exists()) {
        Some(path) => Ok(path.clone()),
        None => Err(SettingsError::NotFound { looked }),
    }
}
