//! The file of intents for a scheduler that stands alone: `{"intents": [...]}`, each entry with the shape of an intent.
//!
//! An entry is for a pod (`podID`), for a cgroup (`cgroupPath`) or for a process (`pid` and `startTime`). It may carry a
//! `comment`. A file that has any fault is refused as a whole, by line and field, and what held before stays.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gthulhu_http::json;
use gthulhu_lib::intent::{Invalid, Limits};
use gthulhu_lib::process::ProcessId;
use gthulhu_lib::wire::IntentBody;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::targets::{Builder, Target, Wanted};

pub mod watch;

/// The largest file that is read, in bytes: room for some 200,000 entries.
pub const BYTES_MAX: u64 = 64 << 20;

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its content is wrong. Reads as `file:line: sentence`.
    #[error("{}:{line}: {message}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The field and the rule.
        message: String,
    },
}

/// A fault at a byte of the text.
struct Fault {
    at: usize,
    message: String,
}

/// Reads the text of the file.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut text));
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    match read {
        Ok(read) if read as u64 > BYTES_MAX => {
            Err(failed(io::Error::other(format!("larger than {BYTES_MAX} bytes"))))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(failed(error)),
    }
}

/// Checks a text; `path` is its name in messages.
pub fn parse(path: &Path, text: &[u8], limits: &Limits) -> Result<Wanted, FileError> {
    parse_text(text, *limits).map_err(|Fault { at, message }| {
        let before = &text[..at.min(text.len())];
        let line = before.split(|&byte| byte == b'\n').count();
        FileError::Wrong { path: path.to_owned(), line, message }
    })
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    intents: Vec<&'a RawValue>,
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

/// What an entry may have beside an intent's fields.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Extra {
    cgroup_path: Option<String>,
    pid: Option<u32>,
    start_time: Option<u64>,
}

const EXTRA: [&str; 3] = ["cgroupPath", "pid", "startTime"];

/// Everything that an entry may have. Whatever else is there is a mistake in writing.
const KNOWN: [&str; 16] = [
    "podID",
    "podId",
    "cgroupPath",
    "pid",
    "startTime",
    "commandRegex",
    "priority",
    "executionTime",
    "strategyID",
    "strategyId",
    "podName",
    "podLabels",
    "nodeID",
    "nodeId",
    "k8sNamespace",
    "comment",
];

fn parse_text(text: &[u8], limits: Limits) -> Result<Wanted, Fault> {
    let text = str::from_utf8(text)
        .map_err(|error| Fault { at: error.valid_up_to(), message: "must be text in UTF-8".to_owned() })?;
    let whole = whole(text)?;
    let mut builder = Builder::new(limits);
    for (number, entry) in whole.iter().enumerate() {
        let added = read_entry(entry.get()).and_then(|(target, body)| builder.add(target, body));
        added.map_err(|Invalid { field, rule }| Fault {
            at: offset(text, entry.get()) + field_offset(entry.get(), &field),
            message: format!("intents[{number}].{field} {rule}"),
        })?;
    }
    builder.finish().map_err(|fault| Fault { at: 0, message: fault.to_string() })
}

/// The entries, each as it is written.
fn whole(text: &str) -> Result<Vec<&RawValue>, Fault> {
    let whole: Whole<'_> = serde_json::from_str(text).map_err(|error| Fault {
        at: text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum(),
        message: match error.classify() {
            serde_json::error::Category::Data => "must be {\"intents\": [...]}".to_owned(),
            _ => format!("is not JSON (column {})", error.column()),
        },
    })?;
    match whole.unknown.keys().next() {
        None => Ok(whole.intents),
        Some(key) => Err(Fault {
            at: field_offset(text, key),
            message: format!("{key} is not known; the file is {{\"intents\": [...]}}"),
        }),
    }
}

fn read_entry(text: &str) -> Result<(Target, IntentBody), Invalid> {
    let mut members = match json::parse_tree(text.as_bytes()).map_err(invalid)? {
        Value::Object(members) => members,
        // Whatever it is, this says that it is no object.
        other => typed(other)?,
    };
    if let Some(key) = members.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Invalid::new(key, "is not known"));
    }
    let extra: Map<String, Value> = EXTRA.iter().filter_map(|key| members.remove_entry(*key)).collect();
    let Extra { cgroup_path, pid, start_time } = typed(Value::Object(extra))?;
    let target = match (cgroup_path, pid, start_time) {
        (Some(path), None, None) => Target::Cgroup(path),
        (None, Some(pid), Some(start)) => Target::Process(ProcessId { pid, start }),
        (None, None, None) => Target::Pod,
        (Some(_), ..) => return Err(Invalid::new("pid", "must be absent where a cgroupPath is given")),
        (None, Some(_), None) => return Err(Invalid::new("pid", "must come with its startTime")),
        (None, None, Some(_)) => return Err(Invalid::new("startTime", "must come with its pid")),
    };
    Ok((target, typed(Value::Object(members))?))
}

fn typed<T: DeserializeOwned>(tree: Value) -> Result<T, Invalid> {
    json::from_tree(tree).map_err(invalid)
}

fn invalid(error: json::ParseError) -> Invalid {
    match error {
        json::ParseError::Shape { path, problem } => Invalid::new(path, problem),
        json::ParseError::DuplicateKey { key } => Invalid::new(key, "occurs twice"),
        other => Invalid::new("", other.to_string()),
    }
}

/// Where `part`, a piece of `text`, begins.
fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// Where the field is first named in the entry; its beginning, if it is not there.
fn field_offset(entry: &str, field: &str) -> usize {
    let name = field.split(['.', '[']).next().unwrap_or(field);
    entry.find(&format!("\"{name}\"")).unwrap_or(0)
}

#[cfg(test)]
mod tests;
