//! The configuration as it came out of file, environment and defaults, as TOML that loads again.
//!
//! Each line says in a comment where its value comes from. Secrets are written as `"..."`.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::rules::PLACEHOLDER;
use super::secret::is_secret;
use super::{Configuration, Examined, Origins, Place};

/// The whole configuration, or only what file and environment set.
pub(super) fn show<C: Configuration>(
    examined: &Examined<C>,
    whole: bool,
) -> Result<String, toml::ser::Error> {
    let table = Table::try_from(&examined.config)?;
    let mut writer =
        Writer { origins: &examined.origins, telling: C::TELLING, table: &table, whole, text: String::new() };
    writer.table("", &table, "");
    Ok(writer.text)
}

struct Writer<'a> {
    origins: &'a Origins,
    telling: &'a [(&'a str, &'a str)],
    table: &'a Table,
    whole: bool,
    text: String,
}

impl Writer<'_> {
    /// Writes the keys of a section, then the sections in it; `mark` makes comments of them.
    fn table(&mut self, path: &str, table: &Table, mark: &str) {
        let name = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        for (key, value) in table.iter().filter(|(_, value)| !is_section(value)) {
            self.key(&name(key), key, value, mark);
        }
        for (key, value) in table {
            let path = name(key);
            match value {
                Value::Table(inner) => self.section(&format!("[{path}]"), &path, inner),
                Value::Array(elements) if is_section(value) => {
                    for (index, element) in elements.iter().enumerate() {
                        let inner = element.as_table().cloned().unwrap_or_default();
                        self.section(&format!("[[{path}]]"), &format!("{path}[{index}]"), &inner);
                    }
                }
                _ => {}
            }
        }
    }

    fn section(&mut self, header: &str, path: &str, inner: &Table) {
        let mark = if self.is_silent(path) { "# " } else { "" };
        let start = self.text.len();
        let _ = writeln!(self.text, "{}{mark}{header}", if start == 0 { "" } else { "\n" });
        let empty = self.text.len();
        self.table(path, inner, mark);
        // A section of which nothing was written is left out, unless its presence says something.
        let says = self.origins.has_section(path) && self.telling.iter().any(|(section, _)| *section == path);
        if self.text.len() == empty && !says {
            self.text.truncate(start);
        }
    }

    /// Whether writing this section would say something that was not said.
    fn is_silent(&self, path: &str) -> bool {
        let Some((_, key)) = self.telling.iter().find(|(section, _)| *section == path) else { return false };
        let set = key.split('.').try_fold(None::<&Value>, |at, part| {
            Some(Some(at.map_or_else(|| self.table.get(part), |value| value.get(part))?))
        });
        let set = set.flatten().and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        !set && !self.origins.has_section(path)
    }

    fn key(&mut self, path: &str, key: &str, value: &Value, mark: &str) {
        let origin = match self.origins.of(path) {
            None if !self.whole && !path.contains('[') => return,
            None => "default".to_owned(),
            Some(Place::File { file, line, .. }) => format!("{file}:{line}"),
            Some(Place::Variable(name)) => format!("environment variable {name}"),
        };
        let hidden = Value::String(PLACEHOLDER.to_owned());
        let value = if is_hidden(key, value) { &hidden } else { value };
        // A text of several lines stays a comment in each of them.
        let value = value.to_string().replace('\n', &format!("\n{mark}"));
        let _ = writeln!(self.text, "{mark}{} = {value}  # {origin}", quoted(key));
    }
}

/// A key as TOML wants it.
fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.chars().all(bare) { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}

/// A table, or an array of tables: what has a header of its own.
fn is_section(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::Array(elements) => elements.iter().all(Value::is_table),
        _ => false,
    }
}

/// Whether this is a secret. That it is not set is none.
fn is_hidden(key: &str, value: &Value) -> bool {
    is_secret(key) && value.as_str().is_some_and(|text| !text.is_empty())
}
