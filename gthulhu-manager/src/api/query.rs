//! Parameters after the question mark: each is declared once, and both read and described by its declaration.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use gthulhu_http::call::Head;
use gthulhu_http::error::HttpError;
use serde::Serialize;
use serde_json::{Value, json};

/// Yes or no.
pub(super) struct Flag {
    /// As it is spelled.
    pub name: &'static str,
    /// What yes means.
    pub about: &'static str,
}

/// A whole number within a range.
pub(super) struct Number<N: 'static> {
    /// As it is spelled.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What it may be.
    pub range: RangeInclusive<N>,
}

/// Any text.
pub(super) struct Text {
    /// As it is spelled.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// Text of a certain shape, which whoever reads it checks.
pub(super) struct Shaped {
    /// As it is spelled.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What it looks like, as a regular expression.
    pub pattern: &'static str,
}

/// What the document says of a parameter.
pub(super) struct Parameter {
    pub name: &'static str,
    pub about: &'static str,
    pub schema: Value,
    /// Some values are refused.
    pub judged: bool,
}

/// What says yes, and what says no.
const YES: [&str; 3] = ["true", "1", ""];
const NO: [&str; 2] = ["false", "0"];

impl Flag {
    /// What the request says; no, when it says nothing.
    pub(super) fn of(&self, head: &Head) -> Result<bool, HttpError> {
        match head.query(self.name) {
            None => Ok(false),
            Some(text) if YES.contains(&text) => Ok(true),
            Some(text) if NO.contains(&text) => Ok(false),
            Some(_) => Err(refused(self.name, "must be true or false")),
        }
    }
}

impl<N: FromStr + PartialOrd + Display> Number<N> {
    /// What the request says, if it says anything.
    pub(super) fn of(&self, head: &Head) -> Result<Option<N>, HttpError> {
        let Some(text) = head.query(self.name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if self.range.contains(&number) => Ok(Some(number)),
            _ => {
                let (least, most) = (self.range.start(), self.range.end());
                Err(refused(self.name, &format!("must be {least} to {most}")))
            }
        }
    }
}

impl Text {
    /// What the request says, if it says anything.
    pub(super) fn of(&self, head: &Head) -> Option<String> {
        head.query(self.name).map(str::to_owned)
    }
}

impl Shaped {
    /// What the request says, if it says anything.
    pub(super) fn of<'h>(&self, head: &'h Head) -> Option<&'h str> {
        head.query(self.name)
    }
}

/// 400 for a parameter.
pub(super) fn refused(name: &str, rule: &str) -> HttpError {
    HttpError::bad_request(format!("{name} {rule}")).in_field(name)
}

impl From<&Flag> for Parameter {
    fn from(flag: &Flag) -> Self {
        // Texts: a name without a value says yes, which no boolean does.
        let words = [&YES[..], &NO[..]].concat();
        let schema = json!({"type": "string", "enum": words, "default": "false"});
        Self { name: flag.name, about: flag.about, schema, judged: true }
    }
}

impl<N: Serialize> From<&Number<N>> for Parameter {
    fn from(number: &Number<N>) -> Self {
        let (least, most) = (number.range.start(), number.range.end());
        let schema = json!({"type": "integer", "minimum": least, "maximum": most});
        Self { name: number.name, about: number.about, schema, judged: true }
    }
}

impl From<&Text> for Parameter {
    fn from(text: &Text) -> Self {
        Self { name: text.name, about: text.about, schema: json!({"type": "string"}), judged: false }
    }
}

impl From<&Shaped> for Parameter {
    fn from(text: &Shaped) -> Self {
        let schema = json!({"type": "string", "pattern": text.pattern});
        Self { name: text.name, about: text.about, schema, judged: true }
    }
}
