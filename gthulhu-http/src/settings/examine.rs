//! A whole configuration looked at before anything is done with it: the same look for `serve` and for `config check`.

use std::ffi::OsString;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FileArgs, Finding, Level, Mistake, Origins, Place, SettingsError, locate, overlaid, text_of};
use crate::exit::{self, Exit};

/// The configuration of one program.
pub trait Configuration: DeserializeOwned + Serialize + Default {
    /// The program, as its messages name it.
    const PROGRAM: &'static str;
    /// The prefix of its variables, without the underscore.
    const PREFIX: &'static str;
    /// The name of its file, without `.toml`.
    const NAME: &'static str;
    /// Sections whose mere presence in the file means something, each with the key that says the same when it is set.
    const TELLING: &'static [(&'static str, &'static str)] = &[];
    /// Whether the program also works with the defaults alone, where nobody asked for a file and none is found.
    const FILE_OPTIONAL: bool = false;

    /// Everything to be said about these values. May read files that they name; makes none, and asks nobody.
    fn examine(&self, origins: &Origins) -> Vec<Finding>;
}

/// What a look at a configuration found.
#[derive(Debug)]
pub struct Examined<C> {
    /// The configuration; a key with a mistake has its default.
    pub config: C,
    /// Where each value comes from.
    pub origins: Origins,
    /// What could not be read.
    pub mistakes: Vec<Mistake>,
    /// What was read, and deserves a remark all the same.
    pub findings: Vec<(Level, Mistake)>,
}

/// A configuration that `serve` accepts.
#[derive(Debug)]
pub struct Ready<C> {
    /// The configuration.
    pub config: C,
    /// Where each value comes from.
    pub origins: Origins,
    remarks: Vec<(Level, Mistake)>,
}

/// Looks at the configuration file at `path` and at the environment.
pub fn examine<C: Configuration>(
    path: &Path,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Examined<C>, SettingsError> {
    examine_text(&path.display().to_string(), &text_of(path)?, env)
}

/// As [`examine`], for the file that `args` and the environment choose. Where it may be missing and is, the environment
/// stands alone.
pub fn examine_found<C: Configuration>(
    args: &FileArgs,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Examined<C>, SettingsError> {
    match locate(C::PREFIX, C::NAME, args, &env) {
        Err(SettingsError::NotFound { .. }) if C::FILE_OPTIONAL && !is_asked_for::<C>(args, &env) => {
            examine_text(NO_FILE, "", env)
        }
        found => examine(&found?, env),
    }
}

/// What stands for the file's name where there is none.
const NO_FILE: &str = "(no file)";

/// Whether somebody said which file to take.
fn is_asked_for<C: Configuration>(args: &FileArgs, env: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| env(&format!("{}_{name}", C::PREFIX)).is_some_and(|value| !value.is_empty());
    *args != FileArgs::default() || set("CONFIG_NAME") || set("CONFIG_DIR_PATH")
}

fn examine_text<C: Configuration>(
    name: &str,
    text: &str,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Examined<C>, SettingsError> {
    let settings = overlaid::<C>(C::PREFIX, name, text, &env)?;
    let (config, origins, mistakes) = (settings.value, settings.origins, settings.mistakes);
    // A text that is not TOML is only half a configuration; what it lacks may be in the other half.
    let whole = mistakes.iter().all(|mistake| !mistake.key.is_empty());
    let mut findings = if whole { config.examine(&origins) } else { Vec::new() };
    findings.retain(|finding| !mistakes.iter().any(|mistake| covers(&mistake.key, &finding.key)));
    let placed = findings.into_iter().map(|finding| {
        let message = finding.to_string();
        (finding.level, Mistake { place: origins.place(&finding.key), key: finding.key, message })
    });
    let mut findings: Vec<_> = placed.collect();
    findings.sort_by(|(_, a), (_, b)| a.place.cmp(&b.place));
    Ok(Examined { config, origins, mistakes, findings })
}

impl<C> Examined<C> {
    /// Every mistake and every finding, from the top of the file down; those about variables come last.
    pub fn said(&self) -> Vec<(Level, &Mistake)> {
        let mistakes = self.mistakes.iter().map(|mistake| (Level::Wrong, mistake));
        let findings = self.findings.iter().map(|(level, mistake)| (*level, mistake));
        let mut said: Vec<_> = mistakes.chain(findings).collect();
        said.sort_by_key(|(_, mistake)| &mistake.place);
        said
    }
}

/// Whether what is found at `key` may only be an echo of the mistake: the same key, one below it, or an element of an
/// array whose elements are no longer counted right.
fn covers(mistake: &str, key: &str) -> bool {
    let below = |outer: &str| {
        key.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    below(mistake) || mistake.split_once('[').is_some_and(|(array, _)| below(array))
}

/// Finds, reads and examines the configuration; anything but warnings and notes is the end.
pub fn for_serving<C: Configuration>(
    args: &FileArgs,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Ready<C>, Exit> {
    let examined = examine_found::<C>(args, &env)?;
    // A misspelt key comes first: what is said about values may follow from it.
    let refused = |level: &Level| matches!(level, Level::Wrong | Level::Unserved);
    let findings = examined.findings.iter().filter(|(level, _)| refused(level)).map(|(_, finding)| finding);
    let mut refused = examined.mistakes.iter().chain(findings);
    let Some(first) = refused.next() else {
        return Ok(Ready { config: examined.config, origins: examined.origins, remarks: examined.findings });
    };
    let others: Vec<String> = refused.map(named).collect();
    let others = match others.as_slice() {
        [] => String::new(),
        names => format!(" (also wrong: {}; see `{} config check`)", names.join(", "), C::PROGRAM),
    };
    Err(Exit::new(exit::CONFIG, format!("{first}{others}")))
}

fn named(mistake: &Mistake) -> String {
    match (&mistake.place, mistake.key.as_str()) {
        (Place::File { line, .. }, "") => format!("line {line}"),
        (_, key) => key.to_owned(),
    }
}

impl<C> Ready<C> {
    /// Logs what a person should know about the settings, once the log is there.
    pub fn remark(&self) {
        for (level, Mistake { place, message, .. }) in &self.remarks {
            if *level == Level::Warning {
                tracing::warn!(%place, "{message}");
            } else {
                tracing::info!(%place, "{message}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_of_a_mistake_are_told_from_other_findings() {
        for (mistake, key, echo) in [
            ("server.host", "server.host", true),
            ("server", "server.host", true),
            ("server.host", "server.hosts", false),
            ("nodes[1].url", "nodes[0].name", true),
            ("nodes[1]", "nodes", true),
            ("nodes", "nodes[2].url", true),
            ("nodes[1].url", "nodes_dir", false),
        ] {
            assert_eq!(covers(mistake, key), echo, "{mistake} {key}");
        }
    }
}
