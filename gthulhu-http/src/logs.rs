//! Log lines on stderr: JSON for machines, one readable line for people.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::exit::{self, Exit};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Pretty when stderr is a terminal, else JSON.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// One line of text, coloured on a terminal.
    Pretty,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is neither a level nor a filter.
    #[error("logging level `{0}` is neither a level (error, warn, info, debug, trace, off) nor a filter")]
    Level(String),
    /// Something else has taken the process's log already.
    #[error("logging is already set up")]
    Twice,
}

impl From<LogError> for Exit {
    fn from(error: LogError) -> Exit {
        let code = match error {
            LogError::Level(_) => exit::CONFIG,
            LogError::Twice => exit::SOFTWARE,
        };
        Exit::new(code, error.to_string())
    }
}

/// Sends the process's log to stderr. `level` is a word such as `info`, or a filter such as `info,hyper=warn`; the
/// word counts in either case, and an empty one means `info`.
pub fn init(level: &str, format: Format) -> Result<(), LogError> {
    let filter = filter(level)?;
    let terminal = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).with_ansi(terminal);
    let set = if is_json(format, terminal) {
        lines.json().flatten_event(true).finish().try_init()
    } else {
        lines.finish().try_init()
    };
    set.map_err(|_| LogError::Twice)
}

/// Whether [`init`] would accept this level.
pub fn check_level(level: &str) -> Result<(), LogError> {
    filter(level).map(|_| ())
}

fn is_json(format: Format, terminal: bool) -> bool {
    match format {
        Format::Auto => !terminal,
        Format::Json => true,
        Format::Pretty => false,
    }
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let level = level.trim();
    let bad = || LogError::Level(level.to_owned());
    let directives = match level.to_lowercase().as_str() {
        "" => "info".to_owned(),
        // The Go daemons know this spelling.
        "warning" => "warn".to_owned(),
        word if word.bytes().all(|byte| byte.is_ascii_lowercase()) => {
            // As a directive, a word that is no level would name a target and silence all others.
            word.parse::<tracing_subscriber::filter::LevelFilter>().map_err(|_| bad())?;
            word.to_owned()
        }
        _ => level.to_owned(),
    };
    EnvFilter::try_new(directives).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters() {
        let good =
            [("info", "info"), ("", "info"), (" DEBUG ", "debug"), ("Warning", "warn"), ("off", "off")];
        for (given, shown) in good {
            assert_eq!(filter(given).unwrap().to_string(), shown, "{given}");
        }
        let spelt = filter("info,gthulhu_http=debug").unwrap().to_string();
        assert!(spelt.contains("gthulhu_http=debug") && spelt.contains("info"), "{spelt}");
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_by_name() {
        for bad in ["verbose", "inf", "info,=,=debug=x"] {
            let error = filter(bad).unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
            assert_eq!(Exit::from(error).code, exit::CONFIG);
        }
    }

    #[test]
    fn a_terminal_gets_text_and_a_pipe_gets_json_unless_told_otherwise() {
        let cases = [(Format::Auto, false, true), (Format::Json, true, true), (Format::Pretty, false, false)];
        for (format, on_terminal, in_pipe) in cases {
            assert_eq!((is_json(format, true), is_json(format, false)), (on_terminal, in_pipe), "{format:?}");
        }
    }

    #[test]
    fn the_log_is_taken_once() {
        init("info", Format::Json).unwrap();
        assert!(matches!(init("info", Format::Auto), Err(LogError::Twice)));
    }
}
