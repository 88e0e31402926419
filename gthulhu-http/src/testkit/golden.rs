//! Replies kept as files, compared to the byte once what changes from run to run has been given a name.
//!
//! A file holds the status line, the headers that say something (sorted, names in lower case), a blank line, and the
//! body as it is. Timestamps become `TS`, ids of 24 hex digits `OID`, secrets of 96
//! hex digits `SECRET`, tokens `JWT`; the caller names the rest. With
//! `GOLDEN=write` in the environment the files are written instead of compared.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use http::StatusCode;

use super::client::Exchange;
use super::shape::is_timestamp;

/// Headers that say nothing about what was asked.
const IGNORED: [&str; 6] =
    ["connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"];

/// A folder of golden files and what to replace before comparing.
#[derive(Clone, Debug)]
pub struct Golden {
    folder: PathBuf,
    write: bool,
    replacements: Vec<(String, String)>,
}

/// Compares with `folder/name.http`; see [`Golden::check`].
pub fn check(folder: impl AsRef<Path>, name: &str, exchange: &Exchange) {
    Golden::new(folder).check(name, exchange);
}

impl Golden {
    /// The golden files of a folder.
    pub fn new(folder: impl AsRef<Path>) -> Golden {
        let write = std::env::var("GOLDEN").is_ok_and(|value| value == "write");
        Golden { folder: folder.as_ref().to_owned(), write, replacements: Vec::new() }
    }

    /// Shows `from` as `to`: a PID, a port, a path of this run. Done in the order given, before anything else.
    #[must_use]
    pub fn replace(mut self, from: &str, to: &str) -> Golden {
        self.replacements.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Compares a reply with `name.http`. Panics with the difference, and says how to accept it.
    pub fn check(&self, name: &str, exchange: &Exchange) {
        self.check_text(&format!("{name}.http"), &shown(exchange));
    }

    /// Compares any text, with the same replacements, with the file of this name.
    pub fn check_text(&self, file: &str, text: &str) {
        self.compare(file, text).unwrap_or_else(|amiss| panic!("{amiss}"));
    }

    /// What is amiss, if anything.
    fn compare(&self, file: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(file);
        let (actual, shown) = (self.normalised(text), path.display());
        if self.write {
            let written = fs::create_dir_all(&self.folder).and_then(|()| fs::write(&path, &actual));
            return written.map_err(|error| format!("cannot write {shown}: {error}"));
        }
        let expected = fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {shown}: {error}; GOLDEN=write writes it:\n{actual}"))?;
        difference(&expected, &actual).map_or(Ok(()), |difference| {
            Err(format!("{shown} differs; GOLDEN=write accepts what is now\n{difference}"))
        })
    }

    fn normalised(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.replacements {
            text = text.replace(from, to);
        }
        let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        let mut result = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = rest.find(in_word) {
            let end = rest[start..].find(|c| !in_word(c)).map_or(rest.len(), |length| start + length);
            result.push_str(&rest[..start]);
            result.push_str(named(&rest[start..end]));
            rest = &rest[end..];
        }
        result + rest
    }
}

/// The reply as a file holds it.
fn shown(exchange: &Exchange) -> String {
    let reason = StatusCode::from_u16(exchange.status).ok().and_then(|status| status.canonical_reason());
    let mut text = format!("{} {}\n", exchange.status, reason.unwrap_or_default());
    let mut headers: Vec<_> =
        exchange.headers.iter().filter(|(name, _)| !IGNORED.contains(&name.as_str())).collect();
    headers.sort();
    for (name, value) in headers {
        let _ = writeln!(text, "{name}: {value}");
    }
    text.push('\n');
    text.push_str(exchange.text());
    text
}

/// The name of a word that changes from run to run, else the word.
fn named(word: &str) -> &str {
    let is_id = word.len() == 24 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_token = word.starts_with("eyJ")
        && word.split('.').count() == 3
        && word.split('.').all(|part| !part.is_empty() && !part.contains(':'));
    let is_secret = word.len() == 96 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    match word {
        _ if is_secret => "SECRET",
        _ if is_timestamp(word) => "TS",
        _ if is_id => "OID",
        _ if is_token => "JWT",
        _ => word,
    }
}

/// The lines that differ, and where the first of them does; none when the texts are equal.
fn difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let lines = |text: &str| text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    let (expected, actual) = (lines(expected), lines(actual));
    let mut shown = String::new();
    let mut first = true;
    for line in 0..expected.len().max(actual.len()) {
        let (old, new) = (expected.get(line), actual.get(line));
        if old == new {
            continue;
        }
        for (mark, text) in [('-', old), ('+', new)] {
            if let Some(text) = text {
                let _ = writeln!(shown, "{mark} {}", text.escape_debug().to_string().replace("\\\"", "\""));
            }
        }
        if let (true, Some(old), Some(new)) = (first, old, new) {
            let same = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
            let _ = writeln!(shown, "  first difference in line {}, column {}", line + 1, same + 1);
        }
        first = false;
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: &str = "HTTP/1.1 200 OK\r\nX-Zebra: z\r\nDate: today\r\nContent-Type: application/json\r\n\
        Content-Length: 9\r\nlocation: /api/v1/strategies/65f0c0ffee65f0c0ffee65f0\r\n\r\n{\"pid\":4242,\"at\":\"2026-03-10T09:08:07Z\"}\n";

    fn golden(folder: &Path, write: bool) -> Golden {
        Golden { folder: folder.to_owned(), write, replacements: Vec::new() }.replace("4242", "PID")
    }

    #[test]
    fn a_file_is_status_headers_and_body() {
        let folder = tempfile::tempdir().unwrap();
        let exchange = Exchange::parse("GET /", WIRE.as_bytes());
        golden(folder.path(), true).check("one", &exchange);
        let written = fs::read_to_string(folder.path().join("one.http")).unwrap();
        let expected = "200 OK\ncontent-type: application/json\nlocation: /api/v1/strategies/OID\nx-zebra: z\n\n\
                        {\"pid\":PID,\"at\":\"TS\"}\n";
        assert_eq!(written, expected);
        golden(folder.path(), false).check("one", &exchange);
    }

    #[test]
    fn words_that_change_have_names_and_others_stay() {
        let golden = golden(Path::new("."), false);
        for (text, expected) in [
            ("eyJhbGciOi.eyJ1aWQi.c2ln-_x", "JWT"),
            ("Bearer eyJhbGciOi.eyJ1aWQi.c2ln!", "Bearer JWT!"),
            ("eyJ.only-two", "eyJ.only-two"),
            ("65f0c0ffee65f0c0ffee65f", "65f0c0ffee65f0c0ffee65f"),
            ("65f0c0ffee65f0c0ffee65f0a", "65f0c0ffee65f0c0ffee65f0a"),
            ("[\"65f0c0ffee65f0c0ffee65f0\"]", "[\"OID\"]"),
            ("2026-03-10T09:08:07.5Z é", "2026-03-10T09:08:07.5Z é"),
        ] {
            assert_eq!(golden.normalised(text), expected);
        }
    }

    #[test]
    fn a_difference_shows_both_lines_and_the_column() {
        let shown = difference("a\nb: \"1\"\nc\n", "a\nb: \"2\"\nc").unwrap();
        let expected = "- b: \"1\"\\n\n+ b: \"2\"\\n\n  first difference in line 2, column 5\n- c\\n\n+ c\n";
        assert_eq!(shown, expected);
        assert_eq!(difference("same", "same"), None);
    }

    #[test]
    fn a_reply_that_changed_fails_and_says_how_to_accept_it() {
        let folder = tempfile::tempdir().unwrap();
        let exchange = Exchange::parse("GET /", WIRE.as_bytes());
        golden(folder.path(), true).check("one", &exchange);
        let changed = shown(&Exchange { status: 201, ..exchange });
        let amiss = golden(folder.path(), false).compare("one.http", &changed).unwrap_err();
        assert!(amiss.contains("GOLDEN=write accepts") && amiss.contains("201"), "{amiss}");
    }
}
