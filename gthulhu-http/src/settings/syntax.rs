//! What is no TOML, in sentences that say what to write.

use std::collections::BTreeSet;

use toml::de::Error;

use super::Mistake;
use super::reader::Source;

/// The mistakes that the parser found, one a line, and whether the rest of the tree can be believed.
pub(super) struct Syntax {
    pub(super) mistakes: Vec<Mistake>,
    lines: BTreeSet<usize>,
    broken: bool,
}

impl Syntax {
    pub(super) fn new(source: &Source<'_>, errors: &[Error]) -> Syntax {
        let mut syntax = Syntax { mistakes: Vec::new(), lines: BTreeSet::new(), broken: false };
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let line = source.text.get(..span.start).unwrap_or(source.text).matches('\n').count();
            let header = source.text.lines().nth(line).is_some_and(|text| text.trim_start().starts_with('['));
            syntax.broken |= header || error.message().contains("unclosed") || swallows(error.message());
            // The first one on a line is what the writer did; the others are what the parser made of it.
            if syntax.lines.insert(line) {
                let at = source.text.get(span.clone()).unwrap_or("");
                let message = sentence(error.message(), at, header);
                syntax.mistakes.push(Mistake {
                    place: source.place(span.start),
                    key: String::new(),
                    message,
                });
            }
        }
        syntax
    }

    /// Whether a mistake that was found in the tree is one of the file, not one of the parser's repairs.
    pub(super) fn believes(&self, mistake: &Mistake) -> bool {
        match mistake.place {
            super::Place::File { line, .. } => !self.broken && !self.lines.contains(&(line - 1)),
            super::Place::Variable(_) => true,
        }
    }
}

/// Whether the parser may have taken following lines for a part of this one.
fn swallows(message: &str) -> bool {
    message.contains("multi-line") || message.contains("missing comma") || message.contains("in array")
}

/// `at` is the text that the parser complains of. It is shown only where it is a key: a value may be a secret.
fn sentence(message: &str, at: &str, header: bool) -> String {
    let told = match message {
        "string values must be quoted, expected literal string" if at.is_empty() => {
            "the value is missing; write `key = value`"
        }
        "string values must be quoted, expected literal string" => {
            "a text must be in quotes; write key = \"value\""
        }
        "key with no value, expected `=`" => "a line must be `key = value`, `[section]` or `# a comment`",
        "unexpected key or value, expected newline, `#`" if header => {
            "nothing may follow the name of the section, `[name]` or `[[name]]`, on its line"
        }
        "unexpected key or value, expected newline, `#`" => {
            "one line can set one key only; start a new line here"
        }
        "invalid boolean, expected `true`" | "invalid boolean, expected `false`" => {
            "write true or false, in small letters"
        }
        "unclosed table, expected `]`" => "the name of the section must end with `]`",
        "unclosed array, expected `]`" => "the array must end with `]`",
        "duplicate key" => return format!("`{at}` is in this file already; keep one of the two"),
        "invalid float, expected nothing" | "invalid integer number, expected nothing" => {
            "a number has digits only; any other text must be in quotes"
        }
        _ if message.starts_with("invalid basic string") => "the text must end with a `\"` on this line",
        _ if message.starts_with("invalid literal string") => "the text must end with a `'` on this line",
        _ if message.starts_with("invalid multi-line") => "the text must end with three quotes",
        _ => return format!("this is not TOML: {message}"),
    };
    told.to_owned()
}
